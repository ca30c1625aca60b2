/* Forms of timestamps that count seconds since 1970: see stamp_forms.h for the contract and
 * stamp_forms.c for where each may stand. A bare number is a time by its length only, so each form
 * here wants something more: the line's start, or a neighbour that gives it away. */
#include "agent/stamp/stamp_forms.h"
#include "agent/stamp/stamp_part.h"
#include "common/num.h"

#define SECONDS_DIGITS 10 /* 2001 to 2286 */

/* The digits at t->at: at most 20 are looked at. */
static size_t count_digits(const struct text *t)
{
	size_t n = 0;
	while (n <= 20 && text_is_digit(text_peek_at(t, n)))
		n++;
	return n;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* 10, 13, 16 or 19 digits (s, ms, us, ns); behind s and ms perhaps a point and a fraction. */
static bool take_epoch(struct text *t, struct moment *m)
{
	size_t digits = count_digits(t);
	if (digits != 10 && digits != 13 && digits != 16 && digits != 19)
		return false;
	if (*t->at == '0')
		return false;
	struct text end = {t->at + digits, t->end};
	if (digits <= 13 && text_peek(&end) == '.' && text_is_digit(text_peek_at(&end, 1))) {
		end.at++;
		end.at += count_digits(&end);
	}
	m->kind = MOMENT_EPOCH_BARE;
	if (!moment_epoch(span_make(t->at, (size_t)(end.at - t->at)), false, &m->epoch_us))
		return false;
	*t = end;
	return true;
}

/* 1795327200.123 message. Something must follow: a number alone is a value, not a time. */
const char *stamp_read_epoch(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	if (!take_epoch(&t, m))
		return NULL;
	switch (text_peek(&t)) {
	case ' ':
	case '\t':
	case ',':
	case ';':
	case '|':
	case ']': return t.at;
	case ':': return is_blank(text_peek_at(&t, 1)) ? t.at : NULL;
	}
	return NULL;
}

static bool take_word(struct text *t)
{
	const char *first = t->at;
	while (t->at < t->end && !is_blank(*t->at))
		t->at++;
	return t->at > first && text_take(t, ' ');
}

/* 2005.06.03 */
static bool take_date(struct text *t)
{
	int year;
	unsigned month, day;
	return text_take_year(t, &year) && text_take(t, '.') && text_take_pair(t, &month) &&
	       text_take(t, '.') && text_take_pair(t, &day) && text_take(t, ' ');
}

/* 1117838570 2005.06.03 NODE 2005-06-03-15.42.50.675872 ..., as supercomputers' RAS logs have it
 * behind a label: the second, its date. The instant is that of the number, which needs no zone;
 * where a finer time follows the node's name and shows the same second, its fraction is added. */
static const char *read_dated_epoch(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	if (!text_take(&t, ' ') || count_digits(&t) != SECONDS_DIGITS || !take_epoch(&t, m))
		return NULL;
	const char *end = t.at;
	if (!text_take(&t, ' ') || !take_date(&t))
		return NULL;
	struct moment fine = {0};
	if (take_word(&t) && stamp_read_iso(t.at, t.end, &fine) && fine.kind == MOMENT_CALENDAR &&
	    fine.second == (unsigned)(m->epoch_us / NUM_SEC_US % 60))
		m->epoch_us += fine.us;
	return end;
}

/* APPSEV 1117838570 2005.06.03 ...: the kind of alert */
const char *stamp_read_label_epoch(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	while (text_is_upper(text_peek(&t)))
		t.at++;
	return read_dated_epoch(t.at, t.end, m);
}

/* - 1117838570 2005.06.03 ...: no alert */
const char *stamp_read_dash_epoch(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	return text_take(&t, '-') ? read_dated_epoch(t.at, t.end, m) : NULL;
}

/* 134681 node-246 unix.hw state_change.unavailable 1077804742 1 Component ...: a number, three
 * words, the second, a number. */
const char *stamp_read_column_epoch(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	size_t digits = count_digits(&t);
	t.at += digits;
	if (digits == 0 || !text_take(&t, ' ') || !take_word(&t) || !take_word(&t) ||
	    !take_word(&t) || count_digits(&t) != SECONDS_DIGITS || !take_epoch(&t, m))
		return NULL;
	const char *end = t.at;
	if (!text_take(&t, ' '))
		return NULL;
	(void)text_take(&t, '-');
	return text_is_digit(text_peek(&t)) ? end : NULL;
}

/* type=SYSCALL msg=audit(1795327200.123:456): ... */
const char *stamp_read_audit(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	if (!text_take_word(&t, SPAN_LITERAL("msg=audit(")) || !take_epoch(&t, m))
		return NULL;
	return text_peek(&t) == ':' ? t.at : NULL;
}

/* --- TAI64N --- */

#define TAI64_EPOCH       (UINT64_C(1) << 62)
#define TAI64_AHEAD_S     10 /* what multilog and svlogd add, whatever the leap seconds since */
#define TAI64N_HEX        24
#define TAI64_SECONDS_HEX 16

static bool take_hex(struct text *t, size_t digits, uint64_t *ret)
{
	uint64_t v = 0;
	for (size_t i = 0; i < digits; i++) {
		char c = t->at[i];
		if (text_is_digit(c))
			v = v << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	t->at += digits;
	*ret = v;
	return true;
}

/* @4000000037c219bf2ef02e94, as multilog and svlogd write */
const char *stamp_read_tai64n(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	uint64_t label, ns;
	if (!text_take(&t, '@') || text_left(&t) < TAI64N_HEX ||
	    !take_hex(&t, TAI64_SECONDS_HEX, &label) ||
	    !take_hex(&t, TAI64N_HEX - TAI64_SECONDS_HEX, &ns))
		return NULL;
	uint64_t s = label - TAI64_EPOCH - TAI64_AHEAD_S;
	if (s > UINT32_MAX || ns >= (uint64_t)NUM_SEC_NS)
		return NULL;
	m->kind = MOMENT_EPOCH;
	m->epoch_us = (int64_t)(s * NUM_SEC_US + ns / NUM_US_NS);
	return t.at;
}
