/* Calendar time in UTC and the 27 bytes that stand for it in haul's lines:
 *
 *     2026-11-22T05:40:00.123456Z
 *
 * Times are int64_t microseconds since 1970 (`_us`), days int32_t since 1970-01-01. Proleptic
 * Gregorian calendar, years 1 to 9999. Algorithm for days: Howard Hinnant, "chrono-Compatible
 * Low-Level Date Algorithms" (days_from_civil, civil_from_days). Pure functions, thread-safe. */
#ifndef HAUL_COMMON_CIVIL_H
#define HAUL_COMMON_CIVIL_H

#include "common/buf.h"
#include "common/span.h"

#include <stdint.h>

#define CIVIL_TIME_LEN 27
#define CIVIL_DAY_LEN  10

/* The bounds of what 27 bytes can say: years 1 to 9999. */
#define CIVIL_MIN_US  INT64_C(-62135596800000000)
#define CIVIL_MAX_US  INT64_C(253402300799999999)
#define CIVIL_MIN_DAY (-719162)
#define CIVIL_MAX_DAY 2932896

/* Also beyond years 1 to 9999, up to 400,000 either way (asserted). `month` is 1 to 12 (asserted);
 * a `day` past the month's end is one of the next month. */
int32_t civil_days(int year, unsigned month, unsigned day);
void civil_from_days(int32_t days, int *ret_year, unsigned *ret_month, unsigned *ret_day);
bool civil_valid_date(int year, unsigned month, unsigned day);

/* The day an instant falls on (floor, so that times before 1970 are right too). */
int32_t civil_day_of_us(int64_t us);

/* Writes 27 bytes, no NUL. `us` lies within CIVIL_MIN_US and CIVIL_MAX_US (asserted). Fast: the
 * agent calls it once a line. */
void civil_format_us(char dst[CIVIL_TIME_LEN], int64_t us);

/* Takes exactly the form above (the collector's check of a line); :60 and any other form is
 * -EINVAL. */
int civil_parse_us(struct span s, int64_t *ret_us) MUST_CHECK;

/* "2026-11-22", 10 bytes, no NUL, for days of years 1 to 9999 (asserted); and back, exactly that
 * form. */
void civil_format_day(char dst[CIVIL_DAY_LEN], int32_t day);
int civil_parse_day(struct span s, int32_t *ret_day) MUST_CHECK;

#endif
