/* What another process uses, by /proc. All give 0 when `pid` is 0 or it is gone. */
#ifndef HAUL_BENCH_LOAD_METER_H
#define HAUL_BENCH_LOAD_METER_H

/* CPU time so far, of all of it and of its threads of that name. */
double meter_seconds(int pid);
double meter_thread_seconds(int pid, const char *name);

/* A line of its status file that is in kB, "VmHWM:" say. */
unsigned long meter_memory_kib(int pid, const char *name);

#endif
