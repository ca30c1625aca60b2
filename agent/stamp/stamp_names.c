/* Forms of timestamps that name the month: see stamp_forms.h for the contract and stamp_forms.c for
 * where each may stand. */
#include "agent/stamp/stamp_forms.h"
#include "agent/stamp/stamp_part.h"

/* The year behind the time, as ctime(3) has it: four digits that stand alone. */
static const char *read_late_year(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	const char *before = t.at;
	if (!text_take(&t, ' ') || !text_take_year(&t, &m->year) || !text_at_boundary(&t))
		return before;
	m->year_kind = MOMENT_YEAR_FULL;
	return t.at;
}

/* In syslog the next word is the host, so only an offset or (as routers write) a name with a colon
 * behind it is a zone. */
static const char *read_syslog_zone(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	char next = text_peek(&t);
	if (next == ' ')
		next = text_peek_at(&t, 1);
	if (next != '+' && next != '-' && next != 'Z' && !text_is_upper(next))
		return t.at;
	struct moment with = *m;
	struct text behind = {stamp_part_zone(t.at, t.end, &with), t.end};
	if (text_peek(&t) == ' ' && text_is_upper(next) && text_peek(&behind) != ':')
		return t.at;
	*m = with;
	return behind.at;
}

/* Behind a month: the day, then
 *     05:40:00                        syslog; the year is open
 *     2026 05:40:00                   routers
 *     , 2026 5:40:00 AM               Java
 * With `weekday` before the month the year may also stand behind the time, and a zone between. */
static const char *read_month_day(const char *at, const char *line_end, bool weekday,
				  struct moment *m)
{
	struct text t = {at, line_end};
	m->month = stamp_part_month(t.at, t.end);
	if (m->month == 0)
		return NULL;
	t.at += 3;
	if (!text_take(&t, ' '))
		return NULL;
	(void)text_take(&t, ' '); /* days below 10 may be padded by a blank */
	if (!text_take_one_or_two(&t, &m->day))
		return NULL;
	bool comma = text_take(&t, ',');
	if (!text_take(&t, ' '))
		return NULL;
	m->year_kind = MOMENT_YEAR_OPEN;
	if (text_take_year(&t, &m->year)) {
		m->year_kind = MOMENT_YEAR_FULL;
		(void)text_take(&t, ',');
		if (!text_take(&t, ' '))
			return NULL;
		(void)text_take_word(&t, SPAN_LITERAL("@ ")); /* Kibana */
	} else if (comma) {
		return NULL;
	}
	t.at = stamp_part_time(t.at, t.end, m);
	if (!t.at)
		return NULL;
	if (m->year_kind == MOMENT_YEAR_FULL)
		return stamp_part_zone(t.at, t.end, m);
	if (!weekday)
		return read_syslog_zone(t.at, t.end, m);
	t.at = stamp_part_zone(t.at, t.end, m);
	return read_late_year(t.at, t.end, m);
}

/* Nov 22 05:40:00, Nov  2 05:40:00, Nov 22 2026 05:40:00, Nov 22, 2026 5:40:00 AM */
const char *stamp_read_month_first(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	return read_month_day(t.at, t.end, false, m);
}

/* Before the time: : or :: or a blank, perhaps behind a comma, or T. */
static inline bool take_gap(struct text *t)
{
	if (text_take(t, ':')) {
		(void)text_take(t, ':');
		return true;
	}
	if (text_take(t, 'T'))
		return true;
	(void)text_take(t, ',');
	return text_take(t, ' ');
}

/* 22/Nov/2026:05:40:00; the same stands between day, month and year: / or - or a blank. */
static const char *read_day_month(const char *at, const char *line_end, bool weekday,
				  struct moment *m)
{
	struct text t = {at, line_end};
	if (!text_take_one_or_two(&t, &m->day))
		return NULL;
	char sep = text_peek(&t);
	if ((sep != '/' && sep != '-' && sep != ' ') || !text_take(&t, sep))
		return NULL;
	m->month = stamp_part_month(t.at, t.end);
	if (m->month == 0)
		return NULL;
	t.at += 3;
	if (!text_take(&t, sep))
		return NULL;
	unsigned short_year;
	if (text_take_year(&t, &m->year)) {
		if (!take_gap(&t))
			return NULL;
	} else if (sep == ' ') {
		m->year_kind = MOMENT_YEAR_OPEN; /* 22 Nov 05:40:00 */
	} else if (sep == '-' && text_take_pair(&t, &short_year)) {
		m->year_kind = MOMENT_YEAR_SHORT; /* RFC 850 */
		m->year = (int)short_year;
		if (!take_gap(&t))
			return NULL;
	} else {
		return NULL;
	}
	t.at = stamp_part_time(t.at, t.end, m);
	if (!t.at)
		return NULL;
	t.at = stamp_part_zone(t.at, t.end, m);
	return weekday && m->year_kind == MOMENT_YEAR_OPEN ? read_late_year(t.at, t.end, m) : t.at;
}

/* 22/Nov/2026:05:40:00 +0000, 22-Nov-2026 05:40:00.123, 22 Nov 2026 05:40:00 */
const char *stamp_read_day_first(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	return read_day_month(t.at, t.end, false, m);
}

/* Sun Nov 22 05:40:00 2026 (ctime, date), Sun, 22 Nov 2026 05:40:00 +0000 (RFC 2822) */
const char *stamp_read_weekday(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	if (!stamp_part_weekday(t.at, t.end))
		return NULL;
	t.at += 3;
	(void)text_take(&t, ',');
	if (!text_take(&t, ' '))
		return NULL;
	return text_is_digit(text_peek(&t)) ? read_day_month(t.at, t.end, true, m)
					    : read_month_day(t.at, t.end, true, m);
}
