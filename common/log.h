/* A program's own messages: one line each to stderr, with the <N> priority prefix when stderr is
 * the journal (JOURNAL_STREAM names it). They say what failed, on what, why, and what happens next.
 *
 * Only programs and the functions that compose stages log; stages return errors. Thread-safe: a
 * line is one write. Control characters, and bytes that are not UTF-8, are shown as \xNN. errno
 * stays as it was. */
#ifndef HAUL_COMMON_LOG_H
#define HAUL_COMMON_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { /* the numbers of syslog(3) */
		 LOG_LEVEL_ERROR = 3,
		 LOG_LEVEL_WARNING = 4,
		 LOG_LEVEL_NOTICE = 5,
		 LOG_LEVEL_INFO = 6,
		 LOG_LEVEL_DEBUG = 7,
};

/* Once, first thing in main: the program's name stands before every message that does not go to the
 * journal (which knows it). Until then info and above are told, without a name. */
void log_start(const char *program, enum log_level most_verbose);

/* For programs that run for long: from now on at most 20 messages with the same format are told a
 * minute, and how many were left out is told with the next one. */
void log_limit(void);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_notice(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A notice that no limit leaves out: of what was done for good, and of which the message is the
 * only record. */
void log_deed(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A repeated error is told once and then in sums. One gate for one condition on one thing (zero it
 * to begin). log_gated tells the first at once, then counts, and tells the sum after a minute, then
 * two, four, up to an hour. log_gate_clear says that the condition is over (told when it had been
 * said) and begins anew. A gate is guarded by its owner. */
struct log_gate {
	int64_t next_ns;
	int64_t pause_ns;
	uint32_t suppressed;
	bool open; /* the condition has been told and is not yet over */
};

void log_gated(struct log_gate *gate, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void log_gate_clear(struct log_gate *gate, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
