/* Forms of timestamps whose dates are digits only: see stamp_forms.h for the contract and
 * stamp_forms.c for where each may stand. */
#include "agent/stamp/stamp_forms.h"
#include "agent/stamp/stamp_part.h"
#include "common/civil.h"
#include "common/eight.h"
#include "common/num.h"

/* What stands between date and time: T, t, one or two blanks, a tab, and what DB2 and others
 * use. */
static inline bool take_gap(struct text *t)
{
	switch (text_peek(t)) {
	case ' ': t->at += text_peek_at(t, 1) == ' ' ? 2 : 1; return true;
	case 'T':
	case 't':
	case '\t':
	case '_':
	case '-':
	case ':': t->at++; return true;
	}
	return false;
}

/* The end of most forms: a time of day, and perhaps a zone. */
static const char *read_time_zone(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	t.at = stamp_part_time(t.at, t.end, m);
	return t.at ? stamp_part_zone(t.at, t.end, m) : NULL;
}

/* 15.42.50.675872 */
static const char *read_dotted_time(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	if (!text_take_pair(&t, &m->hour) || !text_take(&t, '.') ||
	    !text_take_pair(&t, &m->minute) || !text_take(&t, '.') ||
	    !text_take_pair(&t, &m->second))
		return NULL;
	return stamp_part_fraction(t.at, t.end, m);
}

/* 05:40, for those who leave the seconds out. */
static const char *read_minutes(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	m->second = 0;
	if (!text_take_pair(&t, &m->hour) || !text_take(&t, ':') ||
	    !text_take_pair(&t, &m->minute) || text_peek(&t) == ':')
		return NULL;
	return stamp_part_zone(t.at, t.end, m);
}

/* Up to the 28th, every month has the day. */
static inline bool valid_day(int year, unsigned month, unsigned day)
{
	return (month - 1 < 12 && day - 1 < 28) || civil_valid_date(year, month, day);
}

/* What most write, in one go: 2026-11-22T05:40:00.123456Z is an instant at once. NULL for anything
 * else, also what is wrong: that is sorted out by those who have the time. */
static const char *read_rfc3339_utc(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	const char *p = t.at;
	uint64_t date, time;
	if (text_left(&t) < 20 || !eight_pairs(p, "0000-00-", &date) ||
	    !eight_pairs(p + 8, "00T00:00", &time) || p[16] != ':')
		return NULL;
	int year = (int)(eight_byte(date, 0) * 100 + eight_byte(date, 2));
	unsigned month = eight_byte(date, 5), day = eight_byte(time, 0);
	unsigned hour = eight_byte(time, 3), minute = eight_byte(time, 6);
	unsigned second = text_pair(p + 17);
	if (year < 1970 || hour > 23 || minute > 59 || second > 59 || !valid_day(year, month, day))
		return NULL;
	t.at = p + 19;
	t.at = stamp_part_fraction(t.at, t.end, m);
	if (text_peek(&t) != 'Z')
		return NULL;
	m->kind = MOMENT_EPOCH;
	m->epoch_us = civil_days(year, month, day) * NUM_DAY_US +
		      (hour * 3600 + minute * 60 + second) * NUM_SEC_US + m->us;
	return t.at + 1;
}

/* 2026-11-22T05:40:00.123456Z and its relatives: another gap, a comma for the dot, slashes or dots
 * in the date, an offset with or without colon, or none. */
const char *stamp_read_iso(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	const char *end = read_rfc3339_utc(t.at, t.end, m);
	if (end)
		return end;
	const char *p = t.at;
	if (text_left(&t) < 15 || p[7] != p[4] || (p[4] != '-' && p[4] != '/' && p[4] != '.'))
		return NULL;
	unsigned century = text_pair(p), year = text_pair(p + 2);
	m->month = text_pair(p + 5);
	m->day = text_pair(p + 8);
	if (century > 99 || year > 99 || m->month > 12 || m->day > 31)
		return NULL;
	m->year = (int)(century * 100 + year);
	t.at += 10;
	bool dash = *t.at == '-';
	if (!take_gap(&t))
		return NULL;
	end = read_time_zone(t.at, t.end, m);
	if (end)
		return end;
	return dash ? read_dotted_time(t.at, t.end, m) : read_minutes(t.at, t.end, m);
}

/* 2026 Nov 22 05:40:00, 2026-Nov-22 05:40:00 */
const char *stamp_read_iso_month(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	if (!text_take_year(&t, &m->year))
		return NULL;
	char sep = text_peek(&t);
	if ((sep != ' ' && sep != '-') || !text_take(&t, sep))
		return NULL;
	m->month = stamp_part_month(t.at, t.end);
	if (m->month == 0)
		return NULL;
	t.at += 3;
	if (!text_take(&t, sep))
		return NULL;
	(void)text_take(&t, ' '); /* days below 10 may be padded by a blank */
	if (!text_take_one_or_two(&t, &m->day) || !take_gap(&t))
		return NULL;
	return read_time_zone(t.at, t.end, m);
}

/* 054000.123 */
static const char *read_packed_time(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	if (!text_take_pair(&t, &m->hour) || !text_take_pair(&t, &m->minute) ||
	    !text_take_pair(&t, &m->second))
		return NULL;
	return stamp_part_fraction(t.at, t.end, m);
}

/* 22:15:29:606, where no number is padded: 23:21:0:5 is 5 ms behind 23:21:00. */
static const char *read_unpadded_time(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	if (!text_take_one_or_two(&t, &m->hour) || !text_take(&t, ':') ||
	    !text_take_one_or_two(&t, &m->minute) || !text_take(&t, ':') ||
	    !text_take_one_or_two(&t, &m->second))
		return NULL;
	if (text_peek(&t) != ':')
		return stamp_part_fraction(t.at, t.end, m);
	unsigned ms = 0;
	const char *first = ++t.at;
	for (; t.at - first < 3 && text_is_digit(text_peek(&t)); t.at++)
		ms = ms * 10 + (unsigned)(*t.at - '0');
	m->us = ms * 1000;
	return t.at > first ? t.at : NULL;
}

/* 20261122T054000Z, 20261122-22:15:29:606, 20261122 05:40:00.123 */
const char *stamp_read_compact(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	const char *p = t.at;
	if (text_left(&t) < 14 || text_is_digit(p[8]))
		return NULL;
	unsigned century = text_pair(p), year = text_pair(p + 2);
	m->month = text_pair(p + 4);
	m->day = text_pair(p + 6);
	if (century > 99 || year > 99 || m->month > 12 || m->day > 31)
		return NULL;
	m->year = (int)(century * 100 + year);
	t.at += 8;
	char gap = *t.at;
	if (gap == ':' || !take_gap(&t))
		return NULL;
	if ((gap == 'T' || gap == 't') && text_peek_at(&t, 2) != ':')
		t.at = read_packed_time(t.at, t.end, m);
	else
		t.at = gap == '-' ? read_unpadded_time(t.at, t.end, m)
				  : stamp_part_time(t.at, t.end, m);
	return t.at ? stamp_part_zone(t.at, t.end, m) : NULL;
}

/* 17/06/09 20:10:40: year, month, day. */
const char *stamp_read_short_year(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	unsigned year;
	m->year_kind = MOMENT_YEAR_SHORT;
	if (!text_take_pair(&t, &year) || !text_take(&t, '/') || !text_take_pair(&t, &m->month) ||
	    !text_take(&t, '/') || !text_take_pair(&t, &m->day) || !text_take(&t, ' '))
		return NULL;
	m->year = (int)year;
	return read_time_zone(t.at, t.end, m);
}

/* 22.11.2026 05:40:00: with dots the day is first wherever this is written. */
const char *stamp_read_dotted(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	if (!text_take_one_or_two(&t, &m->day) || !text_take(&t, '.') ||
	    !text_take_one_or_two(&t, &m->month) || !text_take(&t, '.') ||
	    !text_take_year(&t, &m->year))
		return NULL;
	(void)text_take(&t, ',');
	return text_take(&t, ' ') ? read_time_zone(t.at, t.end, m) : NULL;
}

/* 11/22/2026 5:40:00 AM, 11/22/2026-05:40:00.123456. With slashes the month is surely first only
 * where half days are counted, and in Suricata's form; others say strptime. */
const char *stamp_read_american(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	if (!text_take_one_or_two(&t, &m->month) || !text_take(&t, '/') ||
	    !text_take_one_or_two(&t, &m->day) || !text_take(&t, '/') ||
	    !text_take_year(&t, &m->year))
		return NULL;
	if (text_take(&t, '-'))
		return stamp_part_time(t.at, t.end, m);
	(void)text_take(&t, ',');
	if (!text_take(&t, ' '))
		return NULL;
	const char *end = stamp_part_time(t.at, t.end, m);
	return end && end[-1] == 'M' ? end : NULL;
}

/* 03-17 16:13:38.811, as on Android; this is little enough to go by, so a fraction must be
 * there. */
const char *stamp_read_month_day(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	m->year_kind = MOMENT_YEAR_OPEN;
	if (!text_take_pair(&t, &m->month) || !text_take(&t, '-') || !text_take_pair(&t, &m->day) ||
	    !text_take(&t, ' '))
		return NULL;
	const char *end = stamp_part_time(t.at, t.end, m);
	return end && end - t.at > 8 && t.at[8] == '.' ? end : NULL;
}

/* [10.30 16:49:06], as in Proxifier */
const char *stamp_read_bracketed(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	m->year_kind = MOMENT_YEAR_OPEN;
	if (!text_take(&t, '[') || !text_take_pair(&t, &m->month) || !text_take(&t, '.') ||
	    !text_take_pair(&t, &m->day) || !text_take(&t, ' '))
		return NULL;
	t.at = stamp_part_time(t.at, t.end, m);
	return t.at && text_take(&t, ']') ? t.at : NULL;
}

static struct span take_word(struct text *t)
{
	const char *first = t->at;
	while (t->at < t->end && *t->at != ' ')
		t->at++;
	return span_make(first, (size_t)(t->at - first));
}

/* 081109 203615 148 INFO, as in Hadoop's early versions: two numbers are a time only where a level
 * follows, perhaps behind a process id. */
const char *stamp_read_six_six(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	unsigned year;
	m->year_kind = MOMENT_YEAR_SHORT;
	if (!text_take_pair(&t, &year) || !text_take_pair(&t, &m->month) ||
	    !text_take_pair(&t, &m->day) || !text_take(&t, ' '))
		return NULL;
	m->year = (int)year;
	const char *end = read_packed_time(t.at, t.end, m);
	if (!end)
		return NULL;
	t.at = end;
	if (!text_take(&t, ' '))
		return NULL;
	struct text word = t;
	if (stamp_part_level(take_word(&word)))
		return end;
	while (text_is_digit(text_peek(&t)))
		t.at++;
	return text_take(&t, ' ') && stamp_part_level(take_word(&t)) ? end : NULL;
}

/* I1122 05:40:00.123456, E20261122 05:40:00.123456: klog, glog; always with a fraction */
const char *stamp_read_klog(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	switch (text_peek(&t)) {
	case 'I':
	case 'W':
	case 'E':
	case 'F':
	case 'D':
	case 'V': t.at++; break;
	default: return NULL;
	}
	m->year_kind = MOMENT_YEAR_OPEN;
	if (text_peek_at(&t, 8) == ' ') {
		unsigned century, year;
		if (!text_take_pair(&t, &century) || !text_take_pair(&t, &year))
			return NULL;
		m->year_kind = MOMENT_YEAR_FULL;
		m->year = (int)(century * 100 + year);
	}
	if (!text_take_pair(&t, &m->month) || !text_take_pair(&t, &m->day) || !text_take(&t, ' '))
		return NULL;
	const char *end = stamp_part_time(t.at, t.end, m);
	return end && end - t.at > 8 ? end : NULL;
}
