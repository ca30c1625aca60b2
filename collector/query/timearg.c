/* Times as people type them: see timearg.h. Pure; called by the options. */
#include "collector/query/timearg.h"

#include "common/civil.h"
#include "common/num.h"

#include <errno.h>

struct cursor {
	struct span text;
	size_t at;
};

static char peek(const struct cursor *c)
{
	return c->at < c->text.len ? c->text.ptr[c->at] : '\0';
}

static bool take(struct cursor *c, char wanted)
{
	if (peek(c) != wanted || c->at >= c->text.len)
		return false;
	c->at++;
	return true;
}

/* Exactly `digits` digits, not above `max`. The cursor stays where the fault is. */
static bool take_number(struct cursor *c, unsigned digits, int max, int *ret)
{
	int v = 0;
	size_t start = c->at;
	for (unsigned i = 0; i < digits; i++) {
		if (peek(c) < '0' || peek(c) > '9')
			return false;
		v = v * 10 + (peek(c) - '0');
		c->at++;
	}
	if (v > max) {
		c->at = start;
		return false;
	}
	*ret = v;
	return true;
}

static int64_t unit_us(char unit)
{
	switch (unit) {
	case 's': return NUM_SEC_US;
	case 'm': return 60 * NUM_SEC_US;
	case 'h': return 3600 * NUM_SEC_US;
	case 'd': return NUM_DAY_US;
	case 'w': return 7 * NUM_DAY_US;
	default: return 0;
	}
}

/* "90s", "1h30m": numbers with units, to the end. */
static bool take_length(struct cursor *c, int64_t *ret_us)
{
	int64_t sum = 0;
	do {
		int64_t v = 0;
		size_t start = c->at;
		while (peek(c) >= '0' && peek(c) <= '9') {
			v = v * 10 + (peek(c) - '0');
			if (v > 1000000)
				return false;
			c->at++;
		}
		int64_t unit = unit_us(peek(c));
		if (c->at == start || unit == 0)
			return false;
		c->at++;
		sum += v * unit;
	} while (c->at < c->text.len);
	*ret_us = sum;
	return true;
}

/* HH:MM[:SS[.fraction]] as microseconds of the day. 24:00 is not a time, :60 is the next minute. */
static bool take_clock(struct cursor *c, int64_t *ret_us)
{
	int hour, minute, second = 0;
	if (!take_number(c, 2, 23, &hour) || !take(c, ':') || !take_number(c, 2, 59, &minute))
		return false;
	if (take(c, ':') && !take_number(c, 2, 60, &second))
		return false;
	int64_t us = (INT64_C(3600) * hour + INT64_C(60) * minute + second) * NUM_SEC_US;
	if (take(c, '.')) {
		int64_t unit = NUM_SEC_US;
		bool any = false, beyond = false;
		for (; peek(c) >= '0' && peek(c) <= '9'; c->at++, any = true) {
			unit /= 10;
			us += unit * (peek(c) - '0');
			beyond = beyond || (unit == 0 && peek(c) != '0');
		}
		if (!any)
			return false;
		us += beyond;
	}
	*ret_us = us;
	return true;
}

/* Z, +HH:MM, -HHMM, +HH, or nothing: UTC. */
static bool take_zone(struct cursor *c, int64_t *ret_east_us)
{
	int hour, minute = 0;
	*ret_east_us = 0;
	if (c->at == c->text.len || take(c, 'Z') || take(c, 'z'))
		return true;
	bool west = peek(c) == '-';
	if (!take(c, '+') && !take(c, '-'))
		return false;
	if (!take_number(c, 2, 23, &hour))
		return false;
	bool colon = take(c, ':');
	if ((colon || c->at < c->text.len) && !take_number(c, 2, 59, &minute))
		return false;
	*ret_east_us = (INT64_C(3600) * hour + INT64_C(60) * minute) * NUM_SEC_US * (west ? -1 : 1);
	return true;
}

static bool take_date(struct cursor *c, int64_t *ret_us)
{
	int year, month, day;
	size_t start = c->at;
	if (!take_number(c, 4, 9999, &year) || !take(c, '-') || !take_number(c, 2, 12, &month) ||
	    !take(c, '-') || !take_number(c, 2, 31, &day))
		return false;
	if (!civil_valid_date(year, (unsigned)month, (unsigned)day)) {
		c->at = start;
		return false;
	}
	*ret_us = civil_days(year, (unsigned)month, (unsigned)day) * NUM_DAY_US;
	return true;
}

static bool is_word(struct cursor *c, const char *word)
{
	if (!span_is(c->text, word))
		return false;
	c->at = c->text.len;
	return true;
}

static bool parse_instant(struct cursor *c, int64_t now_us, int64_t *ret_us)
{
	int64_t today_us = civil_day_of_us(now_us) * NUM_DAY_US, clock_us = 0, east_us = 0;
	if (is_word(c, "now"))
		return *ret_us = now_us, true;
	if (is_word(c, "today"))
		return *ret_us = today_us, true;
	if (is_word(c, "yesterday"))
		return *ret_us = today_us - NUM_DAY_US, true;
	if (c->text.len >= 3 && c->text.ptr[2] == ':') {
		if (!take_clock(c, &clock_us) || !take_zone(c, &east_us))
			return false;
		return *ret_us = today_us + clock_us - east_us, true;
	}
	if (c->text.len >= 5 && c->text.ptr[4] == '-') {
		if (!take_date(c, ret_us))
			return false;
		if (c->at == c->text.len)
			return true;
		if (!take(c, 'T') && !take(c, 't') && !take(c, ' '))
			return false;
		if (!take_clock(c, &clock_us) || !take_zone(c, &east_us))
			return false;
		*ret_us += clock_us - east_us;
		return true;
	}
	int64_t ago_us;
	if (!take_length(c, &ago_us))
		return false;
	return *ret_us = now_us - ago_us, true;
}

int timearg_parse(struct span text, int64_t now_us, int64_t *ret_us, size_t *ret_at)
{
	struct cursor c = {.text = text};
	int64_t us;
	if (!parse_instant(&c, now_us, &us) || c.at < text.len) {
		*ret_at = c.at;
		return -EINVAL;
	}
	*ret_us = us;
	return 0;
}

int timearg_parse_every(struct span text, int64_t *ret_us)
{
	struct cursor c = {.text = text};
	int64_t us;
	if (!take_length(&c, &us) || us == 0)
		return -EINVAL;
	*ret_us = us;
	return 0;
}
