"""Many images: stacks, chunks of work, workers, and the journal from which a batch resumes.

- `runs` has the public `batch`, and decides the order of the steps.
- `history` opens, resumes or forgets what an earlier run left; `records` checks its journal, and
  `tables` writes the results.
- `chunks` is what a worker does, with `rows` of the results and the `software` that it uses.
- `pools` keeps workers busy; `backends` chooses them, `workers` and `clusters` start them.
- `stacks`, `reading`, `mask_stacks`, `writing`, `ownership` and `stores` know where images and
  masks are, and touch them.
"""
