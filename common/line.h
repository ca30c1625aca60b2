/* The line format: how a log line stands in a batch and in the flat files. haul-archive(5) and
 * haul-protocol(7) describe it for users.
 *
 *     payload:  TIME FLAGS ' ' MESSAGE LF
 *     stored:   TIME ' ' HOST ' ' SERVICE[/INSTANCE] ' ' FLAGS ' ' MESSAGE LF
 *
 * with no blank between a payload's time and flags. FLAGS is [F+P]e?r?x?. A message is clean when
 * it holds none of: bytes 00-08, 0A-1F, 7F, both bytes of U+0080 to U+009F, bytes outside
 * well-formed UTF-8 (RFC 3629: no overlongs, no surrogates, at most U+10FFFF); one CR as the very
 * last byte is clean. With flag x those bytes are written \xNN (two lower-case digits) and a
 * backslash \\; without it nothing is touched.
 *
 * All functions are pure and thread-safe. */
#ifndef HAUL_COMMON_LINE_H
#define HAUL_COMMON_LINE_H

#include "common/buf.h"
#include "common/civil.h"
#include "common/span.h"

#include <stdint.h>

enum line_kind {
	LINE_HEAD = 'F',  /* a whole line, or the last piece of a long one */
	LINE_CONT = '+',  /* a continuation of the head before it */
	LINE_PIECE = 'P', /* more to come, or a last line that never got its LF */
};

struct line_flags {
	enum line_kind kind;
	bool from_stderr; /* e */
	bool read_time;   /* r: the time is that of reading */
	bool escaped;     /* x */
};

#define LINE_FLAGS_MAX 4

/* Bytes before the message in a payload line, at most: time, flags, blank. */
#define LINE_PREFIX_MAX (CIVIL_TIME_LEN + LINE_FLAGS_MAX + 1)

/* Writes up to LINE_FLAGS_MAX bytes, returns how many. */
size_t line_format_flags(char dst[LINE_FLAGS_MAX], struct line_flags flags);

/* Takes all of the span or fails: -EINVAL. */
int line_parse_flags(struct span s, struct line_flags *ret) MUST_CHECK;

/* True when the message (without its LF) may stand as it is. Runs at memory speed; line_scan.h
 * finds the LF in the same go. */
bool line_clean(struct span message);

/* The escaped form of a message that is not clean: appended to `out`; needs at most 4 bytes a byte.
 * The last CR stays. Errors: -ENOMEM, -EMSGSIZE. */
int line_escape(struct span message, struct buf *out) MUST_CHECK;

/* The original of an escaped message, appended to `out`. -EINVAL when an escape is not well-formed:
 * a lone backslash, upper-case digits. An escape that was not needed is fine. -ENOMEM,
 * -EMSGSIZE. */
int line_unescape(struct span escaped, struct buf *out) MUST_CHECK;

/* Appends one payload line: escapes when the message is not clean (and sets x then; flags.escaped
 * is ignored). Errors: -ENOMEM, -EMSGSIZE. */
int line_add_payload(struct buf *out, int64_t time_us, struct line_flags flags,
		     struct span message) MUST_CHECK;

/* Appends what stands before the message of a payload line, flags as given: for who knows already
 * whether the message is clean. Message and LF are the caller's. Errors: -ENOMEM, -EMSGSIZE. */
int line_add_prefix(struct buf *out, int64_t time_us, struct line_flags flags) MUST_CHECK;

struct payload_line {
	int64_t time_us;
	struct line_flags flags;
	struct span message;      /* as it stands, without LF */
	struct span flags_to_end; /* flags to LF: what is stored after column 3 */
};

/* Takes the first line off `in` and checks it whole: time, flags, cleanness (with x: that the
 * escapes are well-formed as well). Errors: -EINVAL with *ret_why set to a static text; -ENODATA
 * when `in` is empty. `in` moves on success only. */
int line_next_payload(struct span *in, struct payload_line *ret, const char **ret_why) MUST_CHECK;

struct stored_line {
	int64_t time_us;
	struct span time; /* the 27 bytes */
	struct span host;
	struct span service;
	struct span instance;       /* empty when there is none */
	struct span service_column; /* service or service/instance */
	struct line_flags flags;
	struct span message; /* without LF */
};

/* Splits one stored line (without its LF). Columns are checked, the message is not. -EINVAL when it
 * is not a line of haul's. */
int line_parse_stored(struct span line, struct stored_line *ret) MUST_CHECK;

#endif
