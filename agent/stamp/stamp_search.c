/* Where in a line a timestamp may stand: see stamp_search.h. Called by stamp.c when the line has
 * none where the last one had it; so this runs for lines without a time, too, and gives up early:
 * at the second plain word, at the latest after STAMP_REACH bytes.
 *
 * The price of strictness is a time not found, that of laxity a text taken for the head of an event
 * of another day. What the rules for words are held against are the tables of
 * test_stamp_forms.c. */
#include "agent/stamp/stamp_search.h"

#include "agent/stamp/stamp_forms.h"
#include "agent/stamp/stamp_part.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* --- the line's start --- */

/* A colour: ESC [ digits and semicolons m */
static bool take_colour(struct text *t)
{
	struct text ahead = *t;
	if (!text_take(&ahead, '\x1b') || !text_take(&ahead, '['))
		return false;
	while (text_is_digit(text_peek(&ahead)) || text_peek(&ahead) == ';')
		ahead.at++;
	if (!text_take(&ahead, 'm'))
		return false;
	*t = ahead;
	return true;
}

/* <34> and, in RFC 5424, a version and a blank. */
static void take_priority(struct text *t)
{
	struct text ahead = *t;
	unsigned digits = 0;
	if (!text_take(&ahead, '<'))
		return;
	for (; text_is_digit(text_peek(&ahead)); digits++)
		ahead.at++;
	if (digits < 1 || digits > 3 || !text_take(&ahead, '>'))
		return;
	*t = ahead;
	if (text_take(&ahead, '1') && text_take(&ahead, ' '))
		*t = ahead;
}

static size_t start_of(struct span line)
{
	struct text t = text_of(line);
	char first = text_peek(&t);
	if (first != '<' && first != '\x1b' && first != '\xef')
		return 0;
	(void)text_take_word(&t, SPAN_LITERAL("\xef\xbb\xbf"));
	while (take_colour(&t)) {
	}
	take_priority(&t);
	return (size_t)(t.at - line.ptr);
}

/* --- words --- */

struct word {
	struct span letters; /* that it begins with */
	bool only_letters;   /* but for punctuation at its end */
	bool punctuation;    /* nothing else */
	bool colon;          /* at its end */
};

static bool ends_word(char c)
{
	switch (c) {
	case ' ':
	case '\t':
	case '\r':
	case '[':
	case ']':
	case '(':
	case '{':
	case '<':
	case '>':
	case '|':
	case '=':
	case '"':
	case '\x1b': return true;
	}
	return false;
}

/* Up to a blank or to what begins something else. */
static struct word take_word(struct text *t)
{
	const char *first = t->at;
	while (t->at < t->end &&
	       (text_is_letter(*t->at) || *t->at == '\'' || (uint8_t)*t->at >= 0x80))
		t->at++;
	struct word w = {.letters = span_make(first, (size_t)(t->at - first))};
	bool inside = false; /* letters or digits behind the first that is no letter */
	while (t->at < t->end && !ends_word(*t->at)) {
		inside |= !text_at_boundary(t);
		t->at++;
	}
	w.only_letters = w.letters.len > 0 && !inside;
	w.punctuation = w.letters.len == 0 && !inside;
	w.colon = t->at > first && t->at[-1] == ':';
	return w;
}

/* Is it counted? A word with digits or punctuation inside is not, nor is a level; but what ends in
 * a colon announces a text. */
static bool is_plain(const struct word *w)
{
	if (w->only_letters)
		return !stamp_part_level(w->letters);
	return !w->punctuation && w->colon;
}

/* From a bracket or quote to its end; false when that is not within the text. */
static bool take_group(struct text *t, char end)
{
	for (t->at++; t->at < t->end; t->at++) {
		if (*t->at == end) {
			t->at++;
			return true;
		}
		if (*t->at == '\\' && end == '"' && text_left(t) > 1)
			t->at++;
	}
	return false;
}

/* --- searching --- */

struct search {
	struct text prefix; /* ends after STAMP_REACH bytes; forms may reach further */
	const char *line_end;
	const char *line_at;
	unsigned words, words_allowed;
	unsigned brackets; /* open [ and < */
};

static bool try_here(const struct search *s, enum stamp_place place, struct stamp_found *ret,
		     struct moment *m)
{
	struct text t = {s->prefix.at, s->line_end};
	int form = stamp_forms_read(t.at, t.end, place, m);
	if (form < 0)
		return false;
	size_t at = (size_t)(s->prefix.at - s->line_at);
	*ret = (struct stamp_found){
		.form = (uint8_t)form,
		.words = (uint8_t)s->words,
		.bracket = at > 0 && memchr(s->line_at, '[', at) == s->prefix.at - 1,
		.at = (uint16_t)at,
	};
	return true;
}

static struct search search_of(struct span line, unsigned words)
{
	size_t reach = line.len < STAMP_REACH ? line.len : STAMP_REACH;
	struct text prefix = text_of(span_first(line, reach));
	size_t start = start_of(line);
	prefix.at += start < reach ? start : reach;
	return (struct search){
		.prefix = prefix,
		.line_end = line.ptr + line.len,
		.line_at = line.ptr,
		.words_allowed = words,
	};
}

/* The start, and one bracket further. */
static bool try_start(struct search *s, struct stamp_found *ret, struct moment *m)
{
	if (try_here(s, STAMP_AT_START, ret, m))
		return true;
	return text_take(&s->prefix, '[') && (s->brackets++, try_here(s, STAMP_AT_START, ret, m));
}

bool stamp_search_at_start(struct span line, struct stamp_found *ret, struct moment *m)
{
	struct search s = search_of(line, 0);
	return try_start(&s, ret, m);
}

/* Moves to where the next word begins; false when there is none, or it is not to be looked at. */
static bool next_word(struct search *s)
{
	struct text *t = &s->prefix;
	for (;;) {
		switch (text_peek(t)) {
		case ' ':
		case '\t':
		case ']':
		case '>':
		case '#':
			s->brackets -= s->brackets > 0 && (*t->at == ']' || *t->at == '>');
			t->at++;
			continue;
		case '|':
			t->at++;
			s->words = 0;
			continue;
		case '\x1b':
			if (!take_colour(t))
				return false;
			continue;
		}
		return t->at < t->end;
	}
}

/* Takes what stands at the word's place; false when the search is over. */
static bool skip_word(struct search *s)
{
	struct text *t = &s->prefix;
	switch (*t->at) {
	case '[':
	case '<':
		t->at++;
		s->brackets++;
		return true;
	case '(': return take_group(t, ')');
	case '{': return take_group(t, '}');
	case '"': return take_group(t, '"');
	}
	const char *before = t->at;
	struct word word = take_word(t);
	if (text_take(t, '=')) {
		if (text_peek(t) == '"')
			return take_group(t, '"');
		while (t->at < t->end && !is_blank(*t->at))
			t->at++;
		return true;
	}
	s->words += s->brackets == 0 && is_plain(&word);
	if (t->at == before)
		t->at++;
	return s->words <= s->words_allowed;
}

/* [22/Nov/2026: is a time behind whatever it stands. */
static bool search_access_log(struct search *s, struct stamp_found *ret, struct moment *m)
{
	struct text *t = &s->prefix;
	while (t->at < t->end) {
		const char *bracket = memchr(t->at, '[', text_left(t));
		if (!bracket)
			return false;
		t->at = bracket + 1;
		if (text_left(t) > 12 && t->at[2] == '/' && t->at[6] == '/' &&
		    try_here(s, STAMP_IN_PREFIX, ret, m))
			return true;
	}
	return false;
}

bool stamp_search_prefix(struct span line, unsigned words, struct stamp_found *ret,
			 struct moment *m)
{
	struct search s = search_of(line, words);
	if (try_start(&s, ret, m))
		return true;
	/* The start was no time; behind the words that make it up one may be. */
	while (next_word(&s) && skip_word(&s)) {
		if (next_word(&s) && try_here(&s, STAMP_IN_PREFIX, ret, m))
			return true;
	}
	return search_access_log(&s, ret, m);
}
