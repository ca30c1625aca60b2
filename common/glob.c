/* Globs: see glob.h. Called by the agent's discovery for paths, and for the globs of services and
 * hosts in options and retention rules.
 *
 * A pattern becomes a row of tokens, and each token is a state: "what stands before it has
 * matched". The set of states is moved over the text character by character (Thompson's
 * simulation), so that no pattern can make it try again and again. Invariant: a step that takes no
 * character leads to a later token, hence one pass over the set in order finds them all. Cannot
 * fail. */
#include "common/glob.h"

#include "common/utf8.h"

#include <ctype.h>

enum kind {
	TOKEN_CHAR, /* `code` */
	TOKEN_ANY,  /* ? */
	TOKEN_SET,  /* `code`: where in the pattern its [ stands */
	TOKEN_STAR,
	/* ** as a whole component is two states: before a component, and inside one that it takes.
	 * Those in the middle take the slash behind the components with them. */
	TOKEN_TREE,
	TOKEN_TREE_INSIDE,
	TOKEN_LAST_TREE,
	TOKEN_LAST_TREE_INSIDE,
	TOKEN_OPEN,  /* { */
	TOKEN_COMMA, /* of braces */
	TOKEN_CLOSE, /* } */
	TOKEN_END,
};

struct token {
	uint8_t kind;
	bool starts_component; /* OPEN: what is inside begins a component */
	uint16_t next;         /* OPEN, COMMA: another COMMA of the same braces; 0: none */
	uint32_t code;         /* COMMA: where the CLOSE is; OPEN, while compiling: the OPEN
			  around it */
};

enum {
	TOKENS_MAX = GLOB_PATTERN_MAX + 1,
	WORDS_MAX = TOKENS_MAX / 64 + 1,
	/* A byte that is not UTF-8 is a character of its own, beyond all code points. */
	NOT_UTF8 = 0x110000,
	/* Behind the last character. */
	NO_CHAR = 0x7fffffff,
};

struct program {
	struct span pattern;
	bool paths; /* / parts components */
	size_t n;
	struct token tokens[TOKENS_MAX];
};

static uint32_t take_char(struct span *s)
{
	uint32_t code;
	size_t len = utf8_take(*s, &code);
	if (!len) {
		code = NOT_UTF8 + (uint32_t)(uint8_t)s->ptr[0];
		len = 1;
	}
	*s = span_from(*s, len);
	return code;
}

/* --- sets --- */

/* Takes "[:name:]" off `s`. False: it does not begin with one that we know. */
static bool take_class(struct span *s, uint32_t code, bool *found)
{
	static const struct {
		const char *text;
		int (*is)(int);
	} classes[] = {
		{"[:alnum:]", isalnum}, {"[:alpha:]", isalpha}, {"[:blank:]", isblank},
		{"[:digit:]", isdigit}, {"[:lower:]", islower}, {"[:punct:]", ispunct},
		{"[:space:]", isspace}, {"[:upper:]", isupper}, {"[:xdigit:]", isxdigit},
	};
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		struct span text = span_of(classes[i].text);
		if (!span_starts_with(*s, text))
			continue;
		*found = *found || (code < 0x80 && classes[i].is((int)code));
		*s = span_from(*s, text.len);
		return true;
	}
	return false;
}

static uint32_t take_set_char(struct span *s)
{
	if (s->len > 1 && s->ptr[0] == '\\')
		*s = span_from(*s, 1);
	return take_char(s);
}

/* Walks a set that begins with its [. Returns its length, 0 when it is never closed; *ret_has tells
 * whether the character is one of it. */
static size_t walk_set(struct span s, uint32_t code, bool *ret_has)
{
	const char *start = s.ptr;
	bool found = false;
	s = span_from(s, 1);
	bool negated = s.len && (s.ptr[0] == '!' || s.ptr[0] == '^');
	if (negated)
		s = span_from(s, 1);
	for (bool first = true; s.len && (first || s.ptr[0] != ']'); first = false) {
		if (take_class(&s, code, &found))
			continue;
		uint32_t low = take_set_char(&s), high = low;
		if (s.len > 1 && s.ptr[0] == '-' && s.ptr[1] != ']') {
			s = span_from(s, 1);
			high = take_set_char(&s);
		}
		found = found || (code >= low && code <= high);
	}
	if (!s.len)
		return 0;
	*ret_has = found != negated;
	return (size_t)(s.ptr + 1 - start);
}

/* --- from pattern to tokens --- */

struct compiler {
	struct program *p;
	struct span rest; /* of the pattern */
	size_t open;      /* 1 + the innermost OPEN that is not closed yet; 0: none */
	bool starts;      /* does a component begin here? */
};

static struct token *emit(struct compiler *c, enum kind kind, uint32_t code)
{
	struct token *t = &c->p->tokens[c->p->n++];
	*t = (struct token){.kind = (uint8_t)kind, .code = code};
	return t;
}

static void open_braces(struct compiler *c)
{
	struct token *t = emit(c, TOKEN_OPEN, (uint32_t)c->open);
	t->starts_component = c->starts;
	c->open = c->p->n;
}

static void separate(struct compiler *c)
{
	struct token *open = &c->p->tokens[c->open - 1];
	size_t at = c->p->n;
	emit(c, TOKEN_COMMA, 0)->next = open->next;
	open->next = (uint16_t)at;
	c->starts = open->starts_component;
}

static void close_braces(struct compiler *c)
{
	struct token *open = &c->p->tokens[c->open - 1];
	for (size_t at = open->next; at; at = c->p->tokens[at].next)
		c->p->tokens[at].code = (uint32_t)c->p->n;
	emit(c, TOKEN_CLOSE, 0);
	c->open = open->code;
	c->starts = false;
}

/* Braces that are never closed stand for themselves. */
static void give_up_braces(struct compiler *c)
{
	while (c->open) {
		struct token *t = &c->p->tokens[c->open - 1];
		c->open = t->code;
		size_t next = t->next;
		*t = (struct token){.kind = TOKEN_CHAR, .code = '{'};
		while (next) {
			t = &c->p->tokens[next];
			next = t->next;
			*t = (struct token){.kind = TOKEN_CHAR, .code = ','};
		}
	}
}

/* ** that is a whole component. False: it is not, or not here. */
static bool take_tree(struct compiler *c)
{
	if (!c->p->paths || !c->starts || !span_starts_with(c->rest, SPAN_LITERAL("**")))
		return false;
	struct span after = span_from(c->rest, 2);
	bool slash = span_starts_with(after, SPAN_LITERAL("/"));
	bool ends = !after.len || (c->open && (after.ptr[0] == ',' || after.ptr[0] == '}'));
	if (!slash && !ends)
		return false;
	emit(c, slash ? TOKEN_TREE : TOKEN_LAST_TREE, 0);
	emit(c, slash ? TOKEN_TREE_INSIDE : TOKEN_LAST_TREE_INSIDE, 0);
	c->rest = slash ? span_from(after, 1) : after;
	c->starts = slash;
	return true;
}

static bool take_set(struct compiler *c)
{
	bool unused;
	size_t len = c->rest.ptr[0] == '[' ? walk_set(c->rest, NO_CHAR, &unused) : 0;
	if (!len)
		return false;
	emit(c, TOKEN_SET, (uint32_t)(c->rest.ptr - c->p->pattern.ptr));
	c->rest = span_from(c->rest, len);
	c->starts = false;
	return true;
}

static void take_token(struct compiler *c)
{
	if (take_tree(c) || take_set(c))
		return;
	bool escaped = c->rest.ptr[0] == '\\' && c->rest.len > 1;
	if (escaped)
		c->rest = span_from(c->rest, 1);
	uint32_t code = take_char(&c->rest);
	if (!escaped && code == '{') {
		open_braces(c);
		return;
	}
	if (!escaped && code == ',' && c->open) {
		separate(c);
		return;
	}
	if (!escaped && code == '}' && c->open) {
		close_braces(c);
		return;
	}
	if (!escaped && code == '*')
		emit(c, TOKEN_STAR, 0);
	else if (!escaped && code == '?')
		emit(c, TOKEN_ANY, 0);
	else
		emit(c, TOKEN_CHAR, code);
	c->starts = code == '/';
}

/* `pattern` begins where a component does. */
static void compile(struct program *p, struct span pattern, bool paths)
{
	struct compiler c = {.p = p, .rest = pattern, .starts = true};
	p->pattern = pattern;
	p->paths = paths;
	p->n = 0;
	while (c.rest.len)
		take_token(&c);
	give_up_braces(&c);
	emit(&c, TOKEN_END, 0);
}

/* --- states --- */

struct states {
	uint64_t words[WORDS_MAX];
};

static void states_clear(const struct program *p, struct states *s)
{
	memset(s->words, 0, (p->n / 64 + 1) * sizeof(s->words[0]));
}

static void states_add(struct states *s, size_t at)
{
	s->words[at / 64] |= UINT64_C(1) << at % 64;
}

/* The first state from `at` on; p->n when there is none. */
static size_t states_next(const struct program *p, const struct states *s, size_t at)
{
	while (at < p->n) {
		uint64_t word = s->words[at / 64] >> at % 64;
		if (word)
			return at + (size_t)__builtin_ctzll(word);
		at = (at / 64 + 1) * 64;
	}
	return p->n;
}

struct character {
	uint32_t code;
	bool leading_dot;  /* of a component: wildcards do not take it */
	bool in_component; /* not a slash, not the end */
};

static struct character character(const struct program *p, uint32_t code, bool starts_component)
{
	return (struct character){
		.code = code,
		.leading_dot = p->paths && starts_component && code == '.',
		.in_component = code != NO_CHAR && !(p->paths && code == '/'),
	};
}

static bool set_takes(const struct program *p, const struct token *t, uint32_t code)
{
	bool has = false;
	(void)walk_set(span_from(p->pattern, t->code), code, &has);
	return has;
}

/* What state `at` leads to: without a character into `now`, with the character into `then`. */
static void step(const struct program *p, size_t at, struct character c, struct states *now,
		 struct states *then)
{
	const struct token *t = &p->tokens[at];
	bool wild = c.in_component && !c.leading_dot;
	switch ((enum kind)t->kind) {
	case TOKEN_CHAR:
		if (c.code == t->code)
			states_add(then, at + 1);
		return;
	case TOKEN_ANY:
		if (wild)
			states_add(then, at + 1);
		return;
	case TOKEN_SET:
		if (wild && set_takes(p, t, c.code))
			states_add(then, at + 1);
		return;
	case TOKEN_STAR:
		/* Not even the empty match: "*.log" is not meant to find ".log". */
		if (!c.leading_dot)
			states_add(now, at + 1);
		if (wild)
			states_add(then, at);
		return;
	case TOKEN_TREE:
		states_add(now, at + 2);
		/* fall through */
	case TOKEN_LAST_TREE:
		if (wild)
			states_add(then, at + 1);
		return;
	case TOKEN_LAST_TREE_INSIDE:
		states_add(now, at + 1);
		/* fall through */
	case TOKEN_TREE_INSIDE:
		if (c.in_component)
			states_add(then, at);
		else if (c.code == '/')
			states_add(then, at - 1);
		return;
	case TOKEN_OPEN:
		states_add(now, at + 1);
		for (size_t comma = t->next; comma; comma = p->tokens[comma].next)
			states_add(now, comma + 1);
		return;
	case TOKEN_COMMA: states_add(now, t->code + 1); return;
	case TOKEN_CLOSE: states_add(now, at + 1); return;
	case TOKEN_END: return;
	}
}

struct run {
	struct states sets[2];
	int now;
	bool starts_component;
};

static void run_start(const struct program *p, struct run *r)
{
	r->now = 0;
	r->starts_component = true;
	states_clear(p, &r->sets[0]);
	states_add(&r->sets[0], 0);
}

/* Moves all states over one character. False: none is left. */
static bool run_char(const struct program *p, struct run *r, uint32_t code)
{
	struct states *now = &r->sets[r->now], *then = &r->sets[!r->now];
	struct character c = character(p, code, r->starts_component);
	states_clear(p, then);
	for (size_t at = states_next(p, now, 0); at < p->n; at = states_next(p, now, at + 1))
		step(p, at, c, now, then);
	r->now = !r->now;
	r->starts_component = code == '/';
	return states_next(p, then, 0) < p->n;
}

static bool run_text(const struct program *p, struct run *r, struct span text)
{
	while (text.len)
		if (!run_char(p, r, take_char(&text)))
			return false;
	return true;
}

/* All states that can be reached without a further character. */
static const struct states *run_end(const struct program *p, struct run *r)
{
	struct states *now = &r->sets[r->now];
	(void)run_char(p, r, NO_CHAR);
	return now;
}

static bool matches(struct span pattern, struct span text, bool paths)
{
	struct program p;
	struct run r;
	compile(&p, pattern, paths);
	run_start(&p, &r);
	return run_text(&p, &r, text) && states_next(&p, run_end(&p, &r), p.n - 1) < p.n;
}

/* The bytes up to and with the last slash before the first wildcard. */
static size_t literal_prefix(const char *pattern)
{
	size_t len = strcspn(pattern, "*?[{\\");
	while (len && pattern[len - 1] != '/')
		len--;
	return len;
}

bool glob_match(const char *pattern, const char *path)
{
	/* Most paths that are asked about differ there already. */
	size_t prefix = literal_prefix(pattern);
	if (strlen(pattern) > GLOB_PATTERN_MAX || strncmp(pattern, path, prefix) != 0)
		return false;
	return matches(span_of(pattern + prefix), span_of(path + prefix), true);
}

bool glob_match_name(const char *pattern, const char *name)
{
	struct span p = span_of(pattern);
	return p.len <= GLOB_PATTERN_MAX && matches(p, span_of(name), false);
}

bool glob_match_below(const char *pattern, const char *dir)
{
	struct program p;
	struct run r;
	struct span text = span_of(dir);
	if (strlen(pattern) > GLOB_PATTERN_MAX)
		return false;
	compile(&p, span_of(pattern), true);
	run_start(&p, &r);
	if (!run_text(&p, &r, text))
		return false;
	if (!span_ends_with(text, SPAN_LITERAL("/")) && !run_char(&p, &r, '/'))
		return false;
	const struct states *s = run_end(&p, &r);
	for (size_t at = states_next(&p, s, 0); at < p.n; at = states_next(&p, s, at + 1))
		if (p.tokens[at].kind <= TOKEN_LAST_TREE_INSIDE)
			return true;
	return false;
}

bool glob_valid(const char *pattern)
{
	size_t len = strlen(pattern);
	return len > 0 && len <= GLOB_PATTERN_MAX;
}

size_t glob_literal_dir(const char *pattern)
{
	size_t prefix = literal_prefix(pattern);
	/* Without the slash, but the root is nothing but one. */
	return prefix > 1 ? prefix - 1 : prefix;
}
