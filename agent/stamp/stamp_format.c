/* strptime with fractions: see stamp_format.h. Called by stamp.c for inputs that give a format. */
#include "agent/stamp/stamp_format.h"

#include "agent/stamp/stamp_part.h"
#include "common/civil.h"
#include "common/num.h"

#include <errno.h>

/* What a format must say at least, and what was read, as bits. */
enum said {
	SAID_YEAR = 1,
	SAID_MONTH = 2,
	SAID_DAY = 4,
	SAID_YEAR_DAY = 8,
	SAID_EPOCH = 16,
	SAID_TIME = 32, /* of day, or anything that is no date */
};

struct reading {
	struct moment *m;
	unsigned year_day;
	unsigned us;
	int64_t epoch_s;
	bool has_epoch, afternoon, half_days;
};

/* --- fields --- */

static void skip_blanks(struct text *t)
{
	while (text_peek(t) == ' ' || text_peek(t) == '\t')
		t->at++;
}

static bool take_number(struct text *t, unsigned digits_max, unsigned *ret)
{
	unsigned v = 0, digits = 0;
	skip_blanks(t);
	for (; digits < digits_max && text_is_digit(text_peek(t)); digits++)
		v = v * 10 + (unsigned)(*t->at++ - '0');
	*ret = v;
	return digits > 0;
}

static bool take_pair(struct text *t, unsigned *ret)
{
	return take_number(t, 2, ret);
}

/* The name in full or its first three letters, in any case; its index from 1. */
static unsigned take_name(struct text *t, const char *const *names, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		size_t len = 0;
		while (names[i][len] != '\0' &&
		       (text_peek_at(t, len) | 0x20) == (names[i][len] | 0x20))
			len++;
		if (len >= 3) {
			t->at += names[i][len] == '\0' ? len : 3;
			return i + 1;
		}
	}
	return 0;
}

static bool take_month(struct text *t, unsigned *ret)
{
	static const char *const names[] = {"January",   "February", "March",    "April",
					    "May",       "June",     "July",     "August",
					    "September", "October",  "November", "December"};
	*ret = take_name(t, names, 12);
	return *ret > 0;
}

static bool take_weekday(struct text *t)
{
	static const char *const names[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
					    "Friday", "Saturday", "Sunday"};
	return take_name(t, names, 7) > 0;
}

static bool take_fraction(struct text *t, unsigned *ret_us)
{
	unsigned us = 0, digits = 0;
	for (; text_is_digit(text_peek(t)); t->at++, digits++) {
		if (digits < 6)
			us = us * 10 + (unsigned)(*t->at - '0');
	}
	for (unsigned i = digits; i < 6; i++)
		us *= 10;
	*ret_us = us;
	return digits > 0;
}

static bool take_half(struct text *t, bool *ret_afternoon)
{
	char half = text_peek(t) | 0x20;
	if ((half != 'a' && half != 'p') || (text_peek_at(t, 1) | 0x20) != 'm')
		return false;
	t->at += 2;
	*ret_afternoon = half == 'p';
	return true;
}

static bool take_offset(struct text *t, struct moment *m)
{
	skip_blanks(t);
	t->at = stamp_part_zone(t->at, t->end, m);
	return m->zone_kind == MOMENT_ZONE_OFFSET;
}

/* Whatever the letters are: what is no known zone leaves the configured one. */
static bool take_zone_name(struct text *t, struct moment *m)
{
	const char *first = t->at;
	while (text_is_letter(text_peek(t)))
		t->at++;
	m->zone_kind = MOMENT_ZONE_NAME;
	m->zone_name = span_make(first, (size_t)(t->at - first));
	return t->at > first;
}

static bool take_epoch(struct text *t, int64_t *ret_s)
{
	const char *first = t->at;
	while (text_is_digit(text_peek(t)))
		t->at++;
	/* 253402300799 is the end of the year 9999. */
	size_t digits = (size_t)(t->at - first);
	return digits <= 12 && num_parse_i64(span_make(first, digits), ret_s) == 0;
}

static bool take_short_year(struct text *t, struct moment *m)
{
	unsigned year;
	if (!take_pair(t, &year))
		return false;
	m->year_kind = MOMENT_YEAR_SHORT;
	m->year = (int)year;
	return true;
}

static bool take_year(struct text *t, struct moment *m)
{
	unsigned year;
	if (!take_number(t, 4, &year))
		return false;
	m->year_kind = MOMENT_YEAR_FULL;
	m->year = (int)year;
	return true;
}

/* --- directives --- */

/* What stands for several others. */
static const char *expansion(char directive)
{
	switch (directive) {
	case 'F': return "%Y-%m-%d";
	case 'D': return "%m/%d/%y";
	case 'T': return "%H:%M:%S";
	case 'R': return "%H:%M";
	case 'r': return "%I:%M:%S %p";
	}
	return NULL;
}

static bool read_field(char directive, struct text *t, struct reading *r)
{
	struct moment *m = r->m;
	switch (directive) {
	case 'Y': return take_year(t, m);
	case 'y': return take_short_year(t, m);
	case 'm': return take_pair(t, &m->month);
	case 'b':
	case 'B':
	case 'h': return take_month(t, &m->month);
	case 'd':
	case 'e': return take_pair(t, &m->day);
	case 'j': return take_number(t, 3, &r->year_day);
	case 'a':
	case 'A': return take_weekday(t);
	case 'H':
	case 'k':
	case 'I':
	case 'l': return take_pair(t, &m->hour);
	case 'M': return take_pair(t, &m->minute);
	case 'S': return take_pair(t, &m->second);
	case 'f':
	case 'L':
	case 'N': return take_fraction(t, &r->us);
	case 'p':
	case 'P': r->half_days = true; return take_half(t, &r->afternoon);
	case 'z': return take_offset(t, m);
	case 'Z': return take_zone_name(t, m);
	case 's': r->has_epoch = true; return take_epoch(t, &r->epoch_s);
	case 'n':
	case 't': skip_blanks(t); return true;
	case '%': return text_take(t, '%');
	}
	return false;
}

/* What a directive says; 0: there is none of this name. */
static unsigned said_by(char directive)
{
	switch (directive) {
	case 'Y':
	case 'y': return SAID_YEAR;
	case 'm':
	case 'b':
	case 'B':
	case 'h': return SAID_MONTH;
	case 'd':
	case 'e': return SAID_DAY;
	case 'F':
	case 'D': return SAID_YEAR | SAID_MONTH | SAID_DAY;
	case 'j': return SAID_YEAR_DAY;
	case 's': return SAID_EPOCH;
	}
	return directive != '\0' && strchr("aAHkIlMSfLNpPzZntTRr%", directive) ? SAID_TIME : 0;
}

int stamp_format_check(const char *format, const char **ret_why)
{
	unsigned said = 0;
	for (const char *f = format; *f; f++) {
		if (*f != '%')
			continue;
		unsigned more = said_by(*++f);
		if (more == 0) {
			*ret_why = "strptime: a directive (the letter behind %) that is "
				   "not known";
			return -EINVAL;
		}
		said |= more;
	}
	bool date = (said & SAID_MONTH) && (said & SAID_DAY);
	bool year_day = (said & SAID_YEAR_DAY) && (said & SAID_YEAR);
	if (!date && !year_day && !(said & SAID_EPOCH)) {
		*ret_why = "strptime: the format names no day (%m or %b with %d, %F, %D, "
			   "%j with %Y, or %s)";
		return -EINVAL;
	}
	return 0;
}

/* --- reading --- */

static bool read_format(const char *format, struct text *t, struct reading *r)
{
	for (const char *f = format; *f; f++) {
		if (*f == ' ' || *f == '\t') {
			skip_blanks(t);
		} else if (*f != '%') {
			if (!text_take(t, *f))
				return false;
		} else {
			const char *longer = expansion(*++f);
			if (longer ? !read_format(longer, t, r) : !read_field(*f, t, r))
				return false;
		}
	}
	return true;
}

static bool set_year_day(struct moment *m, unsigned year_day)
{
	int year;
	/* Of a short year only this century's days are known. */
	if (m->year_kind == MOMENT_YEAR_SHORT)
		m->year += 2000;
	m->year_kind = MOMENT_YEAR_FULL;
	civil_from_days(civil_days(m->year, 1, 1) + (int32_t)year_day - 1, &year, &m->month,
			&m->day);
	return year_day > 0 && year == m->year;
}

bool stamp_format_read(const char *format, struct span line, struct moment *m)
{
	struct text t = text_of(line);
	*m = (struct moment){.year_kind = MOMENT_YEAR_OPEN};
	struct reading r = {.m = m};
	if (!read_format(format, &t, &r))
		return false;
	m->us = r.us;
	if (r.has_epoch) {
		m->kind = MOMENT_EPOCH;
		m->epoch_us = r.epoch_s * NUM_SEC_US + r.us;
		return true;
	}
	if (r.half_days) {
		if (m->hour < 1 || m->hour > 12)
			return false;
		m->hour = m->hour % 12 + (r.afternoon ? 12 : 0);
	}
	return r.year_day == 0 || set_year_day(m, r.year_day);
}
