"""Background work: Procrastinate's jobs and schedules on the same PostgreSQL. Only here does anything know of it.

Jobs are coarse and may run twice; what they are about lies in rows, which are settled once. A worker that dies is noticed
by its heartbeat (`rescue`), and whatever nobody runs although somebody should is found by `sweep`.
"""
