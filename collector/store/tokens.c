/* Text to tokens: see tokens.h. Called at sealing and reindexing for every line, and by the reader
 * for what is looked for.
 *
 * A text is classified (tokenizer.h), and runs are then found by counting zeros. Both sides, text
 * and needle, walk the same runs, so that they agree. Fails only for want of memory. */
#include "collector/store/tokens.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>

enum {
	WORD = TOKENIZER_WORD,
	SET_FIRST = 1024,
	SHORTEST = 3, /* bytes of a token */
	UUID_LEN = 36,
	UUID_FIRST = 8, /* hex digits of the first and the last group */
	UUID_LAST = 12,
};

/* --- the hash --- */

#define HASH_LENGTH UINT64_C(0x9e3779b97f4a7c15)
#define HASH_EVEN   UINT64_C(0xa0761d6478bd642f)
#define HASH_ODD    UINT64_C(0xe7037ed1a0b428db)
#define HASH_LAST   UINT64_C(0x8ebc6af09c88c6e3)

static uint64_t fold_product(uint64_t a, uint64_t b)
{
	__extension__ typedef unsigned __int128 wide;
	wide product = (wide)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t load(const uint8_t *p)
{
	uint64_t w;
	memcpy(&w, p, sizeof(w));
	return le64toh(w);
}

/* The first `len` (less than 8) bytes, zeros behind them. */
static uint64_t load_part(const uint8_t *p, size_t len)
{
	return load(p) & ((UINT64_C(1) << (8 * len)) - 1);
}

/* `p` has 16 readable bytes more than `len`. *ret_bytes gets all bytes or'ed together. */
static uint64_t hash_bytes(const uint8_t *p, size_t len, uint64_t *ret_bytes)
{
	uint64_t h = len * HASH_LENGTH, seen = 0;
	while (len > 16) {
		uint64_t even = load(p), odd = load(p + 8);
		seen |= even | odd;
		h = fold_product(even ^ h ^ HASH_EVEN, odd ^ HASH_ODD);
		p += 16;
		len -= 16;
	}
	uint64_t even = len < 8 ? load_part(p, len) : load(p);
	uint64_t odd = len <= 8 ? 0 : len < 16 ? load_part(p + 8, len - 8) : load(p + 8);
	h = fold_product(even ^ h ^ HASH_EVEN, odd ^ HASH_ODD);
	*ret_bytes = seen | even | odd;
	h = fold_product(h ^ HASH_LAST, HASH_EVEN);
	return h ? h : 1;
}

uint64_t token_hash(struct span token)
{
	uint64_t h = token.len * HASH_LENGTH, bytes;
	uint8_t part[32] = {0};
	while (token.len > 16) {
		memcpy(part, token.ptr, 16);
		h = fold_product(load(part) ^ h ^ HASH_EVEN, load(part + 8) ^ HASH_ODD);
		token = span_from(token, 16);
	}
	memset(part, 0, sizeof(part));
	memcpy(part, token.ptr, token.len);
	h = fold_product(load(part) ^ h ^ HASH_EVEN, load(part + 8) ^ HASH_ODD);
	bytes = fold_product(h ^ HASH_LAST, HASH_EVEN);
	return bytes ? bytes : 1;
}

/* --- the set --- */

void token_set_clear(struct token_set *s)
{
	if (s->capacity)
		memset(s->slots, 0, s->capacity * sizeof(*s->slots));
	s->count = 0;
	s->id_lengths = 0;
	s->has_uuid = false;
}

void token_set_free(struct token_set *s)
{
	free(s->slots);
	*s = (struct token_set){0};
}

uint64_t token_set_next(const struct token_set *s, size_t *cursor)
{
	while (*cursor < s->capacity) {
		uint64_t h = s->slots[(*cursor)++];
		if (h)
			return h;
	}
	return 0;
}

bool token_set_trait(const struct token_set *s, unsigned trait)
{
	if (trait == TOKEN_TRAIT_UUID)
		return s->has_uuid;
	return trait < TOKEN_ID_LENGTHS && s->id_lengths >> trait != 0;
}

static void put(uint64_t *slots, size_t capacity, uint64_t h)
{
	size_t at = (size_t)h & (capacity - 1);
	while (slots[at])
		at = (at + 1) & (capacity - 1);
	slots[at] = h;
}

static int grow(struct token_set *s)
{
	size_t capacity = s->capacity ? s->capacity * 2 : SET_FIRST;
	uint64_t *slots = calloc(capacity, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	size_t cursor = 0;
	for (uint64_t h = token_set_next(s, &cursor); h; h = token_set_next(s, &cursor))
		put(slots, capacity, h);
	free(s->slots);
	s->slots = slots;
	s->capacity = capacity;
	return 0;
}

static int add(struct token_set *s, uint64_t h)
{
	if (s->count >= s->capacity / 2) {
		int r = grow(s);
		if (r < 0)
			return r;
	}
	size_t at = (size_t)h & (s->capacity - 1);
	while (s->slots[at] && s->slots[at] != h)
		at = (at + 1) & (s->capacity - 1);
	s->count += s->slots[at] == 0;
	s->slots[at] = h;
	return 0;
}

/* --- runs --- */

/* The first position from `at` on that is in a token (or is not, with `flip` all ones); `len` or
 * more: none. */
static inline size_t find_bit(const uint64_t *mask, size_t at, size_t len, uint64_t flip)
{
	size_t word = at / WORD;
	uint64_t bits = (mask[word] ^ flip) & ~UINT64_C(0) << (at % WORD);
	while (!bits) {
		if (++word * WORD > len)
			return len;
		bits = mask[word] ^ flip;
	}
	return word * WORD + (size_t)__builtin_ctzll(bits);
}

static bool is_digit(uint8_t c)
{
	return (uint8_t)(c - '0') < 10;
}

static bool is_hex(uint8_t c)
{
	return is_digit(c) || (uint8_t)(c - 'a') < 6;
}

static bool is_alnum(uint8_t c)
{
	return is_digit(c) || (uint8_t)(c - 'a') < 26;
}

static bool all_digits(const uint8_t *p, size_t len)
{
	while (len && is_digit(p[len - 1]))
		len--;
	return len == 0;
}

static bool all_hex(const uint8_t *p, size_t len)
{
	while (len && is_hex(p[len - 1]))
		len--;
	return len == 0;
}

/* Is this token worth its price? */
static bool counts(const uint8_t *p, size_t len)
{
	if (len < SHORTEST || (len == 3 && all_digits(p, 3)))
		return false;
	return p[len - 1] != 'z' || len > 10 || len < 4 || !all_digits(p, len - 1);
}

/* Could a token be a group of a UUID, and so be left out? */
static bool is_uuid_group(const uint8_t *p, size_t len)
{
	return (len == 4 || len == UUID_FIRST || len == UUID_LAST) && all_hex(p, len);
}

/* The hex digits of a UUID, a bit each: groups of 8, 4, 4, 4 and 12. */
#define UUID_HEX UINT64_C(0xfff7bdeff)

/* Does a UUID's first group end with the run [from, to)? What stands before it and behind it is not
 * asked. The run that is its last group begins UUID_LEN - UUID_LAST behind its start. */
static inline bool uuid_begins(const struct tokenizer *t, size_t len, size_t from, size_t to)
{
	const uint8_t *dash = t->folded + to;
	if (to - from < UUID_FIRST || len - to < UUID_LEN - UUID_FIRST || dash[0] != '-' ||
	    dash[5] != '-' || dash[10] != '-' || dash[15] != '-')
		return false;
	size_t word = (to - UUID_FIRST) / WORD, shift = (to - UUID_FIRST) % WORD;
	uint64_t hex = t->hex[word] >> shift;
	if (shift)
		hex |= t->hex[word + 1] << (WORD - shift);
	return (hex & ((UINT64_C(1) << UUID_LEN) - 1)) == UUID_HEX;
}

/* A part of a token: [from, to) of the text. */
struct part {
	size_t from, to;
};

/* The next run of letters and digits in [p->to, end); with `ascii`, of '_' too. */
static bool next_part(const uint8_t *folded, size_t end, bool ascii, struct part *p)
{
	size_t at = p->to;
	while (at < end && !(is_alnum(folded[at]) || (ascii && folded[at] == '_')))
		at++;
	p->from = at;
	while (at < end && (is_alnum(folded[at]) || (ascii && folded[at] == '_')))
		at++;
	p->to = at;
	return p->to > p->from;
}

static bool is_id(const uint8_t *p, size_t len)
{
	size_t digits = 0;
	if (len < TOKEN_ID_MIN)
		return false;
	for (size_t i = 0; i < len; i++)
		digits += is_digit(p[i]);
	return digits >= TOKEN_ID_DIGITS;
}

static unsigned id_length_bit(size_t len)
{
	size_t bit = len - TOKEN_ID_MIN;
	return bit < TOKEN_ID_LENGTHS ? (unsigned)bit : TOKEN_ID_LENGTHS - 1;
}

/* --- what a text has --- */

static int add_ids(struct token_set *s, const uint8_t *folded, size_t from, size_t to)
{
	struct part p = {.to = from};
	uint64_t bytes;
	int r = 0;
	while (r == 0 && next_part(folded, to, false, &p)) {
		size_t len = p.to - p.from;
		if (!is_id(folded + p.from, len))
			continue;
		s->id_lengths |= UINT64_C(1) << id_length_bit(len);
		if (len < to - from)
			r = add(s, hash_bytes(folded + p.from, len, &bytes));
	}
	return r;
}

static int add_ascii_parts(struct token_set *s, const uint8_t *folded, size_t from, size_t to)
{
	struct part p = {.to = from};
	uint64_t bytes;
	int r = 0;
	while (r == 0 && next_part(folded, to, true, &p))
		if (counts(folded + p.from, p.to - p.from))
			r = add(s, hash_bytes(folded + p.from, p.to - p.from, &bytes));
	return r;
}

static int add_token(struct token_set *s, const uint8_t *folded, size_t from, size_t to)
{
	size_t len = to - from;
	uint64_t bytes;
	if (!counts(folded + from, len))
		return 0;
	int r = add(s, hash_bytes(folded + from, len, &bytes));
	if (r == 0 && bytes & UINT64_C(0x8080808080808080))
		r = add_ascii_parts(s, folded, from, to);
	if (r == 0 && len >= TOKEN_ID_MIN)
		r = add_ids(s, folded, from, to);
	return r;
}

int token_set_add(struct token_set *s, struct tokenizer *t, struct span text)
{
	int r = tokenizer_classify(t, text);
	if (r < 0)
		return r;
	const uint8_t *folded = t->folded;
	uint64_t bytes;
	size_t group = 0; /* the length of this run that is a group of a UUID before it */
	for (size_t from = find_bit(t->mask, 0, text.len, 0); from < text.len && r == 0;) {
		size_t to = find_bit(t->mask, from, text.len, ~UINT64_C(0));
		bool uuid = uuid_begins(t, text.len, from, to);
		if (to - from != group && !(uuid && to - from == UUID_FIRST))
			r = add_token(s, folded, from, to);
		if (r == 0 && uuid) {
			s->has_uuid = true;
			r = add(s, hash_bytes(folded + to - UUID_FIRST, UUID_LEN, &bytes));
			from = to - UUID_FIRST + UUID_LEN - UUID_LAST;
			group = UUID_LAST;
		} else {
			from = find_bit(t->mask, to, text.len, 0);
			group = 0;
		}
	}
	return r;
}

/* --- what a needle demands --- */

struct demand {
	const uint8_t *folded;
	size_t len;
	bool whole;
	struct token_terms *terms;
	size_t lengths[TOKEN_TERMS_MAX]; /* of the strings behind the terms */
};

/* Longer strings say more: they displace shorter ones. */
static void demand_term(struct demand *d, size_t from, size_t len, unsigned trait)
{
	uint64_t bytes, hash = hash_bytes(d->folded + from, len, &bytes);
	struct token_terms *t = d->terms;
	size_t at = t->n;
	if (at == TOKEN_TERMS_MAX) {
		at = 0;
		for (size_t i = 1; i < TOKEN_TERMS_MAX; i++)
			if (d->lengths[i] < d->lengths[at])
				at = i;
		if (d->lengths[at] >= len)
			return;
	} else {
		t->n++;
	}
	t->items[at] = (struct token_term){hash, trait};
	d->lengths[at] = len;
}

static bool is_high(const struct demand *d, size_t at)
{
	return d->folded[at] >= 0x80;
}

/* Does a part of the needle that begins (ends) here begin (end) there in any line, too? A part is
 * one of ASCII: at the needle's edge `whole` says so, inside it what stands beside. */
static bool starts_surely(const struct demand *d, size_t from)
{
	return from > 0 || d->whole;
}

static bool ends_surely(const struct demand *d, size_t to)
{
	return to < d->len || d->whole;
}

static void demand_ids(struct demand *d, size_t from, size_t to)
{
	struct part p = {.to = from};
	while (next_part(d->folded, to, false, &p)) {
		size_t len = p.to - p.from;
		if (!is_id(d->folded + p.from, len))
			continue;
		unsigned longer = id_length_bit(len + 1);
		if (starts_surely(d, p.from) && ends_surely(d, p.to))
			longer = TOKEN_TRAIT_NONE;
		demand_term(d, p.from, len, longer);
	}
}

static void demand_exact(struct demand *d, size_t from, size_t to)
{
	if (counts(d->folded + from, to - from))
		demand_term(d, from, to - from,
			    is_uuid_group(d->folded + from, to - from)
				    ? (unsigned)TOKEN_TRAIT_UUID
				    : (unsigned)TOKEN_TRAIT_NONE);
}

static void demand_run(struct demand *d, size_t from, size_t to)
{
	bool high_edge = (from == 0 && is_high(d, from)) || (to == d->len && is_high(d, to - 1));
	bool mixed = false, inside = from > 0 && to < d->len;
	for (size_t i = from; i < to; i++)
		mixed |= is_high(d, i);
	if (inside || (d->whole && !mixed && !high_edge)) {
		demand_exact(d, from, to);
	} else if (mixed) {
		struct part p = {.to = from};
		while (next_part(d->folded, to, true, &p))
			if (starts_surely(d, p.from) && ends_surely(d, p.to))
				demand_exact(d, p.from, p.to);
		demand_ids(d, from, to);
	} else {
		demand_ids(d, from, to);
	}
}

int token_terms_of(struct tokenizer *t, struct span needle, bool whole, struct token_terms *ret)
{
	int r = tokenizer_classify(t, needle);
	if (r < 0)
		return r;
	*ret = (struct token_terms){.n = 0};
	struct demand d = {.folded = t->folded, .len = needle.len, .whole = whole, .terms = ret};
	size_t group = 0;
	for (size_t from = find_bit(t->mask, 0, needle.len, 0); from < needle.len;) {
		size_t to = find_bit(t->mask, from, needle.len, ~UINT64_C(0));
		bool uuid = uuid_begins(t, needle.len, from, to);
		if (to - from != group && !(uuid && to - from == UUID_FIRST))
			demand_run(&d, from, to);
		if (uuid) {
			demand_term(&d, to - UUID_FIRST, UUID_LEN, TOKEN_TRAIT_NONE);
			from = to - UUID_FIRST + UUID_LEN - UUID_LAST;
			group = UUID_LAST;
		} else {
			from = find_bit(t->mask, to, needle.len, 0);
			group = 0;
		}
	}
	return 0;
}
