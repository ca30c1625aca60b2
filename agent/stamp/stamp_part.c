/* Parts of timestamps: see stamp_part.h. Called by the forms; the time of day and its fraction run
 * for nearly every line of the host. */
#include "agent/stamp/stamp_part.h"

#define US_DIGITS 6

/* --- time of day --- */

/* Hours on the face of a clock: 12 AM is midnight. */
static const char *take_meridiem(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	const char *before = t.at;
	/* Java writes U+202F, a narrow blank that does not break. */
	if (!text_take(&t, ' '))
		(void)text_take_word(&t, SPAN_LITERAL("\xe2\x80\xaf"));
	char half = text_peek(&t);
	if ((half != 'A' && half != 'P') || text_peek_at(&t, 1) != 'M' || m->hour < 1 ||
	    m->hour > 12)
		return before;
	t.at += 2;
	if (!text_at_boundary(&t))
		return before;
	m->hour = m->hour % 12 + (half == 'P' ? 12 : 0);
	return t.at;
}

const char *stamp_part_fraction(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	static const unsigned scale[US_DIGITS + 1] = {1000000, 100000, 10000, 1000, 100, 10, 1};
	char mark = text_peek(&t);
	if (mark != '.' && mark != ',' && mark != ':')
		return t.at;
	const char *first = t.at + 1, *p = first;
	unsigned us = 0, digits = 0;
	for (; digits < US_DIGITS && p < t.end && text_is_digit(*p); digits++)
		us = us * 10 + (unsigned)(*p++ - '0');
	while (p < t.end && text_is_digit(*p))
		p++;
	size_t all = (size_t)(p - first);
	/* A comma may also part columns, and a colon what follows: only the usual lengths. */
	bool fraction = mark == '.'   ? all > 0
			: mark == ',' ? all == 3 || all == 6 || all == 9
				      : all == 3;
	if (!fraction)
		return t.at;
	m->us = us * scale[digits];
	return p;
}

const char *stamp_part_time(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	const char *p = t.at;
	if (text_left(&t) >= 8 && p[2] == ':' && p[5] == ':') {
		m->hour = text_pair(p);
		m->minute = text_pair(p + 3);
		m->second = text_pair(p + 6);
		if (m->hour > 99 || m->minute > 99 || m->second > 99)
			return NULL;
		t.at += 8;
	} else if (!text_take_one_or_two(&t, &m->hour) || !text_take(&t, ':') ||
		   !text_take_pair(&t, &m->minute) || !text_take(&t, ':') ||
		   !text_take_pair(&t, &m->second)) {
		return NULL;
	}
	t.at = stamp_part_fraction(t.at, t.end, m);
	char next = text_peek(&t);
	if (next == ' ' || next == 'A' || next == 'P' || next == '\xe2')
		t.at = take_meridiem(t.at, t.end, m);
	return t.at;
}

/* --- zone --- */

/* What may follow an offset that stands alone: nothing that could make it a number of another
 * kind. */
static bool at_gap(const struct text *t)
{
	switch (text_peek(t)) {
	case ' ':
	case '\t':
	case '\r':
	case ']':
	case ')':
	case '>':
	case '|':
	case '"': return true;
	}
	return t->at == t->end;
}

/* +02:00, +0200, +02; NULL: none. Behind a blank it might be any number: then only offsets that
 * exist. */
static const char *take_offset(const char *at, const char *line_end, bool parted, struct moment *m)
{
	struct text t = {at, line_end};
	unsigned hours, minutes = 0;
	bool west = *t.at++ == '-';
	if (!text_take_pair(&t, &hours))
		return NULL;
	bool colon = text_take(&t, ':');
	if (!text_take_pair(&t, &minutes) && colon)
		return NULL;
	if (hours > 23 || minutes > 59 || !text_at_boundary(&t))
		return NULL;
	if (parted && (hours > 14 || minutes % 15 != 0 || !at_gap(&t)))
		return NULL;
	int32_t offset_s = (int32_t)(hours * 3600 + minutes * 60);
	m->zone_kind = MOMENT_ZONE_OFFSET;
	m->offset_s = west ? -offset_s : offset_s;
	return t.at;
}

/* Capitals that could be an abbreviation of the tz database: these end in T (CET), C (UTC), K
 * (MSK), B or A (Indonesia's). Words like INFO and WARN are left out here, without a look into a
 * table. */
static bool looks_like_zone(struct span word)
{
	if (word.len < 3 || word.len > 5)
		return false;
	switch (word.ptr[word.len - 1]) {
	case 'T':
	case 'C':
	case 'K':
	case 'B':
	case 'A': return true;
	}
	return false;
}

static bool is_utc(struct span word)
{
	return span_equal(word, SPAN_LITERAL("UTC")) || span_equal(word, SPAN_LITERAL("GMT")) ||
	       span_equal(word, SPAN_LITERAL("UT")) || span_equal(word, SPAN_LITERAL("Z"));
}

/* UTC, GMT+0200, CEST; NULL: none. */
static const char *take_name(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	const char *first = t.at;
	while (t.at < t.end && text_is_upper(*t.at))
		t.at++;
	struct span word = span_make(first, (size_t)(t.at - first));
	if (!text_at_boundary(&t))
		return NULL;
	if (is_utc(word)) {
		m->zone_kind = MOMENT_ZONE_OFFSET;
		m->offset_s = 0;
		char sign = text_peek(&t);
		const char *behind =
			sign == '+' || sign == '-' ? take_offset(t.at, t.end, false, m) : NULL;
		return behind ? behind : t.at;
	}
	if (!looks_like_zone(word))
		return NULL;
	m->zone_kind = MOMENT_ZONE_NAME;
	m->zone_name = word;
	return t.at;
}

const char *stamp_part_zone(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	const char *before = t.at, *behind = NULL;
	bool parted = text_take(&t, ' ');
	char c = text_peek(&t);
	if ((c == 'Z' || c == 'z') && !parted) {
		m->zone_kind = MOMENT_ZONE_OFFSET;
		behind = t.at + 1;
	} else if (text_is_upper(c)) {
		behind = take_name(t.at, t.end, m);
	} else if (c == '+' || c == '-') {
		behind = take_offset(t.at, t.end, parted, m);
	}
	return behind ? behind : before;
}

/* --- names --- */

#define THREE(a, b, c) ((uint32_t)(a) << 16 | (uint32_t)(b) << 8 | (uint32_t)(c))

/* The next three letters in lower case; 0 when a fourth follows or one of them is none. */
static uint32_t three_letters(const struct text *t)
{
	if (text_left(t) < 3 || text_is_letter(text_peek_at(t, 3)))
		return 0;
	const char *p = t->at;
	if (!text_is_letter(p[0]) || !text_is_letter(p[1]) || !text_is_letter(p[2]))
		return 0;
	return THREE(p[0] | 0x20, p[1] | 0x20, p[2] | 0x20);
}

static unsigned month_of(uint32_t letters)
{
	switch (letters) {
	case THREE('j', 'a', 'n'): return 1;
	case THREE('f', 'e', 'b'): return 2;
	case THREE('m', 'a', 'r'): return 3;
	case THREE('a', 'p', 'r'): return 4;
	case THREE('m', 'a', 'y'): return 5;
	case THREE('j', 'u', 'n'): return 6;
	case THREE('j', 'u', 'l'): return 7;
	case THREE('a', 'u', 'g'): return 8;
	case THREE('s', 'e', 'p'): return 9;
	case THREE('o', 'c', 't'): return 10;
	case THREE('n', 'o', 'v'): return 11;
	case THREE('d', 'e', 'c'): return 12;
	}
	return 0;
}

unsigned stamp_part_month(const char *at, const char *line_end)
{
	struct text t = {at, line_end};
	return month_of(three_letters(&t));
}

bool stamp_part_weekday(const char *at, const char *line_end)
{
	struct text t = {at, line_end};
	switch (three_letters(&t)) {
	case THREE('m', 'o', 'n'):
	case THREE('t', 'u', 'e'):
	case THREE('w', 'e', 'd'):
	case THREE('t', 'h', 'u'):
	case THREE('f', 'r', 'i'):
	case THREE('s', 'a', 't'):
	case THREE('s', 'u', 'n'): return true;
	}
	return false;
}

#define LEVEL_LENGTH_MAX 8

bool stamp_part_level(struct span word)
{
	static const char levels[][LEVEL_LENGTH_MAX + 1] = {
		"trace", "debug", "info",   "notice", "warn",   "warning", "error",
		"err",   "fatal", "crit",   "alert",  "emerg",  "panic",   "critical",
		"fine",  "finer", "finest", "severe", "config", "verbose", "inf",
		"wrn",   "dbg",   "ftl",    "trc",    "log",
	};
	char lower[LEVEL_LENGTH_MAX + 1] = {0};
	if (word.len == 1)
		return true;
	if (word.len > LEVEL_LENGTH_MAX)
		return false;
	for (size_t i = 0; i < word.len; i++)
		lower[i] = (char)(word.ptr[i] | 0x20);
	for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
		if (levels[i][0] == lower[0] && strcmp(levels[i], lower) == 0)
			return true;
	}
	return false;
}
