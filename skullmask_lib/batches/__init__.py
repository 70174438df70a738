"""Many images: stacks of files, chunks of work, who does it, and the journal that lets it go on."""
