/* Timestamps by a format that the user gives, in the manner of strptime(3), without its locks,
 * locales and NUL-terminated copies, and with fractions of seconds. The format is matched at the
 * line's start.
 *
 *     %Y 2026   %y 26     %m 11     %b %B %h Nov November   %d %e 22   %j day of the year
 *     %H %k 05  %I %l 05  %p %P AM  %M 40  %S 00  %f %L %N  fraction, as many digits as there are
 *     %z Z +0200 +02:00   %Z CEST   %s seconds since 1970   %a %A Sun Sunday
 *     %F = %Y-%m-%d   %D = %m/%d/%y   %T = %H:%M:%S   %R = %H:%M   %r = %I:%M:%S %p
 *     %n %t blank   %%
 *
 * A blank stands for any number of blanks, also none; every other byte for itself. Numbers may have
 * fewer digits than usual, and blanks before them. What is not said: the year is worked out, the
 * zone is the configured one, the time of day is midnight. */
#ifndef HAUL_AGENT_STAMP_FORMAT_H
#define HAUL_AGENT_STAMP_FORMAT_H

#include "agent/stamp/moment.h"
#include "agent/stamp/text.h"
#include "common/buf.h"

/* Can this format give a time? -EINVAL with *ret_why a static text. */
int stamp_format_check(const char *format, const char **ret_why) MUST_CHECK;

/* `format` has passed stamp_format_check. */
bool stamp_format_read(const char *format, struct span line, struct moment *m);

#endif
