"""The class that is measured: a student waits for the replies to the student's own cells."""

import bench_class


class SlowToStart:
    """A client in whose queue lie replies that nobody waits for."""

    def __init__(self):
        requests = ["who", "who", "a", "who", "b"]
        self.replies = [
            {"parent_header": {"msg_id": request}, "content": {"status": "ok"}}
            for request in requests
        ]

    def get_shell_msg(self, timeout):  # noqa: ARG002
        return self.replies.pop(0)


def test_replies_to_other_requests_do_not_count():
    student = bench_class.Student.__new__(bench_class.Student)
    student.client = SlowToStart()
    student.waiting = ["a", "b"]
    student.wait()
    assert student.client.replies == []
