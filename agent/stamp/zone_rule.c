/* POSIX TZ strings: see zone_rule.h. Called by zone.c, once for each zone and then for each look
 * behind the end of its table.
 *
 * Grammar (RFC 8536, 3.3.1, with the extension of version 3: hours up to 167, signed):
 *
 *     std offset [dst [offset] [, day [/ time] , day [/ time]]]
 *
 * where a name is three letters or more, or anything of [A-Za-z0-9+-] between < and >. */
#include "agent/stamp/zone_rule.h"

#include "agent/stamp/text.h"
#include "common/civil.h"
#include "common/num.h"

#include <errno.h>

#define HOUR_S           3600
#define CHANGE_AT_S      (2 * HOUR_S) /* when the string does not say */
#define OFFSET_HOURS_MAX 24
#define CHANGE_HOURS_MAX 167

static bool take(struct span *s, char c)
{
	if (s->len == 0 || s->ptr[0] != c)
		return false;
	*s = span_from(*s, 1);
	return true;
}

static bool take_number(struct span *s, int max, int *ret)
{
	int v = 0;
	size_t n = 0;
	while (n < s->len && n < 4 && text_is_digit(s->ptr[n]))
		v = v * 10 + (s->ptr[n++] - '0');
	if (n == 0 || v > max)
		return false;
	*s = span_from(*s, n);
	*ret = v;
	return true;
}

static bool take_name(struct span *s, char name[ZONE_NAME_MAX + 1])
{
	bool quoted = take(s, '<');
	size_t n = 0;
	while (n < s->len &&
	       (text_is_letter(s->ptr[n]) ||
		(quoted && (text_is_digit(s->ptr[n]) || s->ptr[n] == '+' || s->ptr[n] == '-'))))
		n++;
	if (n < 3 || n > ZONE_NAME_MAX)
		return false;
	memcpy(name, s->ptr, n);
	name[n] = '\0';
	*s = span_from(*s, n);
	return !quoted || take(s, '>');
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(struct span *s, int max_hours, int32_t *ret_s)
{
	int sign = take(s, '-') ? -1 : 1;
	if (sign > 0)
		(void)take(s, '+');
	int hours, minutes = 0, seconds = 0;
	if (!take_number(s, max_hours, &hours))
		return false;
	if (take(s, ':')) {
		if (!take_number(s, 59, &minutes))
			return false;
		if (take(s, ':') && !take_number(s, 59, &seconds))
			return false;
	}
	*ret_s = sign * (hours * HOUR_S + minutes * 60 + seconds);
	return true;
}

static bool take_offset(struct span *s, int32_t *ret_s)
{
	int32_t west_s;
	if (!take_time(s, OFFSET_HOURS_MAX, &west_s))
		return false;
	*ret_s = -west_s;
	return true;
}

static bool take_month_day(struct span *s, struct zone_day *d)
{
	d->kind = ZONE_DAY_OF_MONTH;
	return take_number(s, 12, &d->month) && d->month >= 1 && take(s, '.') &&
	       take_number(s, 5, &d->week) && d->week >= 1 && take(s, '.') &&
	       take_number(s, 6, &d->day);
}

static bool take_day(struct span *s, struct zone_day *d)
{
	*d = (struct zone_day){.at_s = CHANGE_AT_S};
	bool good;
	if (!take(s, ',')) {
		good = false;
	} else if (take(s, 'M')) {
		good = take_month_day(s, d);
	} else if (take(s, 'J')) {
		d->kind = ZONE_DAY_JULIAN;
		good = take_number(s, 365, &d->day) && d->day >= 1;
	} else {
		d->kind = ZONE_DAY_OF_YEAR;
		good = take_number(s, 365, &d->day);
	}
	return good && (!take(s, '/') || take_time(s, CHANGE_HOURS_MAX, &d->at_s));
}

static bool take_summer_time(struct span *s, struct zone_rule *r)
{
	static const struct zone_day us_begins = {ZONE_DAY_OF_MONTH, 0, 3, 2, CHANGE_AT_S};
	static const struct zone_day us_ends = {ZONE_DAY_OF_MONTH, 0, 11, 1, CHANGE_AT_S};
	if (!take_name(s, r->dst_name))
		return false;
	r->has_dst = true;
	r->dst_offset_s = r->std_offset_s + HOUR_S;
	if (s->len && s->ptr[0] != ',' && !take_offset(s, &r->dst_offset_s))
		return false;
	if (s->len == 0) {
		r->dst_begins = us_begins;
		r->dst_ends = us_ends;
		return true;
	}
	return take_day(s, &r->dst_begins) && take_day(s, &r->dst_ends);
}

int zone_rule_parse(struct span text, struct zone_rule *ret)
{
	struct zone_rule r = {0};
	if (!take_name(&text, r.std_name) || !take_offset(&text, &r.std_offset_s))
		return -EINVAL;
	if (text.len && !take_summer_time(&text, &r))
		return -EINVAL;
	if (text.len)
		return -EINVAL;
	*ret = r;
	return 0;
}

/* The day (since 1970) that a zone_day means in a year. */
static int32_t day_in_year(const struct zone_day *d, int year)
{
	switch (d->kind) {
	case ZONE_DAY_JULIAN: {
		/* Counted as in a year without February 29. */
		bool after_leap_day = d->day >= 60 && civil_valid_date(year, 2, 29);
		return civil_days(year, 1, 1) + d->day - 1 + after_leap_day;
	}
	case ZONE_DAY_OF_YEAR: return civil_days(year, 1, 1) + d->day;
	case ZONE_DAY_OF_MONTH: {
		int32_t first = civil_days(year, (unsigned)d->month, 1);
		int32_t next_month = d->month == 12 ? civil_days(year + 1, 1, 1)
						    : civil_days(year, (unsigned)d->month + 1, 1);
		/* 1970-01-01 was a Thursday; years before 1970 do not come here, but % wants
		 * care. */
		int32_t weekday = ((first + 4) % 7 + 7) % 7;
		int32_t day = first + (d->day - weekday + 7) % 7 + 7 * (d->week - 1);
		return day < next_month ? day : day - 7;
	}
	}
	return 0;
}

void zone_rule_changes(const struct zone_rule *rule, int year, int64_t *ret_begins_s,
		       int64_t *ret_ends_s)
{
	*ret_begins_s = day_in_year(&rule->dst_begins, year) * NUM_DAY_SEC + rule->dst_begins.at_s -
			rule->std_offset_s;
	*ret_ends_s = day_in_year(&rule->dst_ends, year) * NUM_DAY_SEC + rule->dst_ends.at_s -
		      rule->dst_offset_s;
}
