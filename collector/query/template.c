/* Templates: see template.h. The first half of `haul patterns`: called for every line.
 *
 * A text is cut into words of letters, digits and what binds them; each word is looked at by
 * itself:
 *
 *     2026-11-22T05:40:00.123Z, 05:40:00,123,
 *     Dec 10 06:55:46, 10/Oct/2000:13:55:36      <time>
 *     10.0.0.1, 10.0.0.1:8080, fe80::1           <ip>
 *     5d9d0c3e-..., 0x7ffe, deadbeef01           <id>      (hex, 8 digits at least, or 0x)
 *     123, -1.5, 12ms, 99%                       <num>, <num>ms, <num>%
 *     blk_38865049064139660, u044435, a8Xk...Zq  <*>       (many digits among letters, or long and mixed)
 *     utf8, v2, sha256                           as they are */
#include "collector/query/template.h"

#include "common/columns.h"
#include "common/logfmt.h"

enum {
	HEX_MIN = 8,
	MIXED_DIGITS_MIN = 3, /* digits in a word that has letters too */
	MIXED_LEN_MIN = 20,   /* of upper and lower case and digits */
	UNIT_MAX = 4,
	NAMELESS = 1000,
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || is_upper(c) || (unsigned char)c >= 0x80;
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static size_t digits_at(struct span s, size_t at)
{
	size_t n = 0;
	while (at + n < s.len && is_digit(s.ptr[at + n]))
		n++;
	return n;
}

/* --- what a text begins with: the length of it, 0 if it does not --- */

/* Two digits, a separator, two digits ... as in 05:40:00; `parts` of them at least. */
static size_t clock_length(struct span s)
{
	if (digits_at(s, 0) != 2 || s.len < 5 || s.ptr[2] != ':' || digits_at(s, 3) != 2)
		return 0;
	size_t at = 5;
	if (at + 3 <= s.len && s.ptr[at] == ':' && digits_at(s, at + 1) == 2)
		at += 3;
	else if (at < s.len && s.ptr[at] == ':')
		return 0;
	size_t fraction =
		at + 1 < s.len && (s.ptr[at] == '.' || s.ptr[at] == ',') ? digits_at(s, at + 1) : 0;
	return fraction ? at + 1 + fraction : at;
}

/* Z, +02:00, +0200 */
static size_t zone_length(struct span s)
{
	if (s.len && s.ptr[0] == 'Z')
		return 1;
	if (s.len < 5 || (s.ptr[0] != '+' && s.ptr[0] != '-') || digits_at(s, 1) < 2)
		return 0;
	if (s.len >= 6 && s.ptr[3] == ':' && digits_at(s, 4) == 2)
		return 6;
	return digits_at(s, 1) == 4 ? 5 : 0;
}

static bool is_word_of(struct span s, const char *const *words)
{
	for (; *words; words++)
		if (span_starts_with(s, span_of(*words)))
			return true;
	return false;
}

/* "Dec 10 06:55:46", "Sun Dec  4 04:47:44 2005" */
static size_t date_length(struct span s)
{
	static const char *const days[] = {"Mon ", "Tue ", "Wed ", "Thu ",
					   "Fri ", "Sat ", "Sun ", NULL};
	static const char *const months[] = {"Jan ", "Feb ", "Mar ", "Apr ", "May ", "Jun ", "Jul ",
					     "Aug ", "Sep ", "Oct ", "Nov ", "Dec ", NULL};
	size_t at = is_word_of(s, days) ? 4 : 0;
	if (!is_word_of(span_from(s, at), months))
		return 0;
	at += 4;
	if (at < s.len && s.ptr[at] == ' ')
		at++;
	size_t day = digits_at(s, at);
	if (day == 0 || day > 2 || at + day >= s.len || s.ptr[at + day] != ' ')
		return 0;
	at += day + 1;
	size_t clock = clock_length(span_from(s, at));
	if (clock == 0)
		return 0;
	at += clock;
	return at + 5 <= s.len && s.ptr[at] == ' ' && digits_at(s, at + 1) == 4 ? at + 5 : at;
}

/* 17/06/09 20:10:40, 10/Oct/2000:13:55:36 */
static size_t slash_date_length(struct span s)
{
	if (s.len < 11 || digits_at(s, 0) != 2 || s.ptr[2] != '/')
		return 0;
	size_t second = span_find(span_from(s, 3), '/');
	if (second < 2 || second > 3)
		return 0;
	size_t at = 3 + second + 1, year = digits_at(s, at);
	if ((year != 2 && year != 4) || at + year >= s.len ||
	    (s.ptr[at + year] != ' ' && s.ptr[at + year] != ':'))
		return 0;
	size_t clock = clock_length(span_from(s, at + year + 1));
	return clock ? at + year + 1 + clock : 0;
}

/* 2026-11-22, 2026/11/22, and a clock behind it. */
static size_t time_length(struct span s)
{
	size_t clock = clock_length(s);
	if (clock)
		return clock + zone_length(span_from(s, clock));
	clock = slash_date_length(s);
	if (clock)
		return clock;
	if (s.len < 10 || digits_at(s, 0) != 4 || (s.ptr[4] != '-' && s.ptr[4] != '/') ||
	    digits_at(s, 5) != 2 || s.ptr[7] != s.ptr[4] || digits_at(s, 8) != 2)
		return 0;
	if (s.len > 11 && (s.ptr[10] == 'T' || s.ptr[10] == ' ')) {
		clock = clock_length(span_from(s, 11));
		if (clock)
			return 11 + clock + zone_length(span_from(s, 11 + clock));
	}
	return 10;
}

static size_t ip4_length(struct span s)
{
	size_t at = 0;
	for (unsigned part = 0; part < 4; part++) {
		size_t n = digits_at(s, at);
		if (n == 0 || n > 3)
			return 0;
		at += n;
		if (part < 3 && (at >= s.len || s.ptr[at++] != '.'))
			return 0;
	}
	if (at + 1 < s.len && s.ptr[at] == ':' && digits_at(s, at + 1))
		at += 1 + digits_at(s, at + 1);
	return at;
}

/* Hex groups with two colons at least, of which one pair may be empty. */
static size_t ip6_length(struct span s)
{
	size_t at = 0, colons = 0, digits = 0;
	while (at < s.len && (is_hex(s.ptr[at]) || s.ptr[at] == ':')) {
		colons += s.ptr[at] == ':';
		digits += s.ptr[at] != ':';
		at++;
	}
	return colons >= 2 && digits >= 2 && at > 4 ? at : 0;
}

/* A UUID, 0x..., or a run of hex digits with a digit among them. */
static size_t id_length(struct span s)
{
	static const size_t groups[] = {8, 4, 4, 4, 12};
	size_t at = 0, n = 0, digits = 0;
	if (s.len > 2 && s.ptr[0] == '0' && (s.ptr[1] == 'x' || s.ptr[1] == 'X')) {
		for (at = 2; at < s.len && is_hex(s.ptr[at]); at++)
			;
		return at > 2 ? at : 0;
	}
	for (size_t g = 0; g < 5; g++) {
		for (n = 0; at < s.len && is_hex(s.ptr[at]); at++, n++)
			digits += is_digit(s.ptr[at]);
		if (n != groups[g])
			break;
		if (g == 4)
			return at;
		if (at >= s.len || s.ptr[at] != '-')
			break;
		at++;
	}
	for (at = digits = 0; at < s.len && is_hex(s.ptr[at]); at++)
		digits += is_digit(s.ptr[at]);
	return at >= HEX_MIN && digits && digits < at ? at : 0;
}

/* 123, 1.5, 1,234 */
static size_t number_length(struct span s)
{
	size_t at = digits_at(s, 0);
	while (at && at + 1 < s.len && (s.ptr[at] == '.' || s.ptr[at] == ',') &&
	       digits_at(s, at + 1))
		at += 1 + digits_at(s, at + 1);
	return at;
}

/* --- words --- */

static bool is_word(char c)
{
	return is_letter(c) || is_digit(c) || c == '_';
}

/* Letters and digits mixed so that it can only be a name of one thing. */
static bool is_mixed(struct span word)
{
	size_t digits = 0, uppers = 0, letters = 0;
	for (size_t i = 0; i < word.len; i++) {
		digits += is_digit(word.ptr[i]);
		uppers += is_upper(word.ptr[i]);
		letters += is_letter(word.ptr[i]);
	}
	if (digits == 0)
		return false;
	if (word.len >= MIXED_LEN_MIN)
		return true;
	/* sha256, utf16: some letters and a well-known number. */
	if (digits == MIXED_DIGITS_MIN && letters <= 4 && uppers == 0 && is_letter(word.ptr[0]))
		return false;
	return digits >= MIXED_DIGITS_MIN || (is_digit(word.ptr[0]) && letters > UNIT_MAX);
}

struct shape {
	size_t (*length)(struct span s);
	const char *placeholder;
};

/* Does a shape end where a word could end? 10.0.0.1x is no address. */
static bool ends_well(struct span text, size_t len)
{
	return len == text.len || !is_word(text.ptr[len]);
}

static int add_number(struct span *text, struct buf *out)
{
	size_t len = number_length(*text), unit = 0;
	while (len + unit < text->len && is_letter(text->ptr[len + unit]))
		unit++;
	struct span word = *text;
	size_t all = len;
	while (all < word.len && is_word(word.ptr[all]))
		all++;
	word.len = all;
	/* A unit stays: 12ms and 12s are different things. */
	bool is_unit = unit <= UNIT_MAX && all == len + unit;
	int r = buf_add_str(out, is_unit ? "<num>" : TEMPLATE_ANY);
	if (r == 0 && is_unit)
		r = buf_add(out, text->ptr + len, unit);
	*text = span_from(*text, all);
	return r;
}

static int add_word(struct span *text, struct buf *out)
{
	static const struct shape shapes[] = {{time_length, "<time>"},
					      {ip4_length, "<ip>"},
					      {id_length, "<id>"},
					      {ip6_length, "<ip>"}};
	if (is_hex(text->ptr[0])) {
		for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
			size_t len = shapes[i].length(*text);
			if (len == 0 || !ends_well(*text, len))
				continue;
			*text = span_from(*text, len);
			return buf_add_str(out, shapes[i].placeholder);
		}
	}
	if (is_digit(text->ptr[0]))
		return add_number(text, out);
	size_t len = is_upper(text->ptr[0]) ? date_length(*text) : 0;
	if (len) {
		*text = span_from(*text, len);
		return buf_add_str(out, "<time>");
	}
	/* A minus behind an underscore is a number's, as in blk_-160899. */
	while (len < text->len && (is_word(text->ptr[len]) ||
				   (len && text->ptr[len - 1] == '_' && text->ptr[len] == '-')))
		len++;
	struct span word = span_first(*text, len);
	*text = span_from(*text, len);
	return is_mixed(word) ? buf_add_str(out, TEMPLATE_ANY) : buf_add_span(out, word);
}

/* A minus is a number's when nothing stands before it. */
static bool is_sign(struct span text, char before)
{
	return (text.ptr[0] == '-' || text.ptr[0] == '+') && text.len > 1 &&
	       is_digit(text.ptr[1]) &&
	       (before == ' ' || before == '=' || before == '(' || before == '[' || before == ':');
}

/* ESC [ ... letter: what colours text on terminals. */
static size_t colour_length(struct span s)
{
	if (s.len < 3 || s.ptr[0] != '\033' || s.ptr[1] != '[')
		return 0;
	size_t at = 2;
	while (at < s.len && (is_digit(s.ptr[at]) || s.ptr[at] == ';'))
		at++;
	return at < s.len && is_letter(s.ptr[at]) ? at + 1 : 0;
}

int template_of_text(struct span text, struct buf *out)
{
	char before = ' ';
	int r = 0;
	if (text.len > TEMPLATE_MAX)
		text.len = TEMPLATE_MAX;
	if (text.len && text.ptr[text.len - 1] == '\r')
		text.len--;
	while (r == 0 && text.len) {
		char c = text.ptr[0];
		if (is_word(c)) {
			r = add_word(&text, out);
			before = 'w';
			continue;
		}
		size_t colour = colour_length(text);
		if (colour) {
			text = span_from(text, colour);
			continue;
		}
		if (!is_sign(text, before))
			r = buf_add_char(out, c == '\t' ? ' ' : c);
		before = c;
		text = span_from(text, 1);
	}
	return r;
}

/* --- messages --- */

/* Its place among the names, the first being the best; NAMELESS: it is none of them. */
static unsigned rank_of(struct span name, const char *const *names)
{
	for (unsigned i = 0; names[i]; i++)
		if (span_is(name, names[i]))
			return i;
	return NAMELESS;
}

static const char *const text_names[] = {"msg",  "message", "event", "log",
					 "text", "error",   "err",   NULL};
static const char *const level_names[] = {"level", "severity", "lvl", "log.level", NULL};

struct parts {
	struct span level, text;
	unsigned level_rank, text_rank; /* of the names they were found under */
	bool any;                       /* fields */
};

#define NO_PARTS ((struct parts){.level_rank = NAMELESS, .text_rank = NAMELESS})

static void consider(struct parts *p, struct span key, struct span value, bool may_be_text)
{
	unsigned level = rank_of(key, level_names);
	unsigned text = may_be_text ? rank_of(key, text_names) : NAMELESS;
	p->any = true;
	if (level < p->level_rank) {
		p->level = value;
		p->level_rank = level;
	}
	if (text < p->text_rank) {
		p->text = value;
		p->text_rank = text;
	}
}

static int put_level(const struct parts *p, struct buf *out)
{
	if (!p->level.ptr || !p->level.len)
		return 0;
	int r = buf_add_span(out, p->level);
	return r == 0 ? buf_add_char(out, '\t') : r;
}

static int put_parts(const struct parts *p, struct buf *out)
{
	int r = put_level(p, out);
	return r < 0 ? r : template_of_text(p->text, out);
}

/* A JSON message without a text: its keys. */
static int put_keys(struct span message, const struct parts *p, struct buf *out)
{
	struct span key;
	struct json_found value;
	size_t at = 0;
	bool first = true;
	int r = put_level(p, out);
	while (r == 0 && jsonscan_member(message, &at, &key, &value) == 1) {
		r = buf_add_str(out, first ? "{" : ", ");
		if (r == 0)
			r = buf_add_span(out, key);
		first = false;
	}
	return r < 0 ? r : buf_add_str(out, first ? "{}" : "}");
}

static int of_json(struct span message, struct field_scratch *scratch, struct buf *out)
{
	struct parts p = NO_PARTS;
	struct span key;
	struct json_found value;
	size_t at = 0;
	while (jsonscan_member(message, &at, &key, &value) == 1)
		if (value.kind != JSONSCAN_NESTED)
			consider(&p, key, value.text, value.kind == JSONSCAN_STRING);
	if (!p.any)
		return template_of_text(message, out);
	if (!p.text.ptr)
		return put_keys(message, &p, out);
	buf_clear(&scratch->value);
	int r = jsonscan_decode(p.text, &scratch->value, &p.text);
	if (r < 0)
		return r;
	/* One line is one template. */
	p.text.len = span_find(p.text, '\n');
	return put_parts(&p, out);
}

static int of_pairs(struct span message, struct field_scratch *scratch, struct buf *out)
{
	struct parts p = NO_PARTS;
	struct span key, value;
	for (size_t at = 0; logfmt_next(message, &at, &key, &value);)
		consider(&p, key, value, true);
	if (!p.text.ptr)
		return template_of_text(message, out);
	buf_clear(&scratch->value);
	int r = logfmt_unquote(p.text, &scratch->value, &p.text);
	return r < 0 ? r : put_parts(&p, out);
}

int template_of_line(struct span line, struct field_scratch *scratch, struct buf *out)
{
	struct span message;
	int r = field_message(line, scratch, &message);
	if (r < 0)
		return r;
	if (message.len && message.ptr[0] == '{')
		return of_json(message, scratch, out);
	if (memmem(message.ptr, message.len, "msg=", 4) ||
	    memmem(message.ptr, message.len, "message=", 8))
		return of_pairs(message, scratch, out);
	return template_of_text(message, out);
}
