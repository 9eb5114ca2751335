"""How fast a training step is: ours against PyTorch's in one process, and against the machine.

    steps     what is timed: a table of our training steps
    pytorch   the same steps, written as a user of PyTorch would
    flops     how much arithmetic a step needs
    timing    turn by turn in one process; the machine's sgemm rate
    memory    what a step needs at most, in a process of its own
    compare   all of these for one step, as numbers
    cuda      the same for one step on a GPU, with PyTorch compiled as well
    report    the numbers as a table

Beside a step at one batch size:

    features  sound into features against librosa, the data's start, one clip to one picture
    growth    steps over batch sizes and numbers of threads
    process   what a process of its own measured, for those that need one

A new step is an entry in `steps.STEPS` and one of the same name in `pytorch.STEPS`.
"""
