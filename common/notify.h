/* sd_notify(3)'s protocol, without libsystemd: a datagram to the socket that NOTIFY_SOCKET names.
 * Does nothing when it is not set. */
#ifndef HAUL_COMMON_NOTIFY_H
#define HAUL_COMMON_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* Is there a manager? What is only made to be told to it can be left out without one. */
bool notify_is_heard(void);

void notify_ready(void);
void notify_reloading(void); /* with MONOTONIC_USEC, as Type=notify-reload wants */
void notify_stopping(void);
void notify_status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void notify_watchdog(void);

/* How often notify_watchdog is wanted (half of WATCHDOG_USEC); 0: not at all. */
int64_t notify_watchdog_interval_ns(void);

#endif
