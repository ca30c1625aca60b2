/* The join string: see join.h. Called by haul-collector's `token add` and haul-agent's `join`.
 * Pure.
 *
 * Strict, because people copy it by hand: a part that is missing, unknown or there twice is an
 * error, not a guess. What is wrong is told without the text itself, which is a secret and would
 * end up in a log. */
#include "common/join.h"

#include "common/num.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

enum { NAME_BYTES_MAX = 253, PIN_CHARS = 43, PORT_MAX = 65535 };

static int wrong(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EINVAL;
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool made_of(struct span s, const char *others)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.ptr[i]) && (s.ptr[i] == '\0' || !strchr(others, s.ptr[i])))
			return false;
	return true;
}

static void keep(char *dst, struct span s)
{
	memcpy(dst, s.ptr, s.len);
	dst[s.len] = '\0';
}

/* --- the address --- */

/* Takes the name off, brackets included; the rest is empty or begins with the colon. */
static bool take_name(struct span *rest, struct span *ret)
{
	struct span s = *rest;
	size_t len = span_find(s, s.len && s.ptr[0] == '[' ? ']' : ':');
	if (s.len && s.ptr[0] == '[') {
		if (len == s.len || len < 3 ||
		    !made_of(span_make(s.ptr + 1, len - 1), ":.")) /* also not [] */
			return false;
		len++;
	} else if (len == 0 || !is_alnum(s.ptr[0]) || !made_of(span_first(s, len), ".-_")) {
		return false;
	}
	*ret = span_first(s, len);
	*rest = span_from(s, len);
	return len <= NAME_BYTES_MAX;
}

int join_address(struct span text, uint16_t default_port, char ret[JOIN_ADDRESS_MAX],
		 const char **ret_why)
{
	struct span name;
	uint64_t port = default_port;
	if (!take_name(&text, &name))
		return wrong(ret_why, "the address is not NAME:PORT or [IPV6]:PORT");
	if (text.len && (text.ptr[0] != ':' || num_parse_u64(span_from(text, 1), &port) < 0 ||
			 port == 0 || port > PORT_MAX))
		return wrong(ret_why, "the port is not a number from 1 to 65535");
	(void)snprintf(ret, JOIN_ADDRESS_MAX, "%.*s:%u", (int)name.len, name.ptr, (unsigned)port);
	return 0;
}

/* --- the pin: base64url without padding here, base64 in configurations --- */

static bool pin_from_url(struct span s, char ret[JOIN_PIN_LEN + 1])
{
	if (s.len != PIN_CHARS || !made_of(s, "-_"))
		return false;
	/* 32 bytes: two of the last character's six bits are not used, and zero. */
	if (!strchr("AEIMQUYcgkosw048", s.ptr[s.len - 1]))
		return false;
	char *at = ret + sprintf(ret, "sha256//");
	for (size_t i = 0; i < s.len; i++)
		*at++ = s.ptr[i] == '-' ? '+' : s.ptr[i] == '_' ? '/' : s.ptr[i];
	memcpy(at, "=", 2);
	return true;
}

static int pin_to_url(const char *pin, struct buf *out)
{
	struct span s = span_of(pin);
	assert(s.len == JOIN_PIN_LEN && span_starts_with(s, SPAN_LITERAL("sha256//")));
	int r = 0;
	for (size_t i = sizeof("sha256//") - 1; i < s.len - 1 && r == 0; i++)
		r = buf_add_char(out, s.ptr[i] == '+' ? '-' : s.ptr[i] == '/' ? '_' : s.ptr[i]);
	return r;
}

/* --- the whole --- */

struct parts {
	struct span hosts, token, pin, tls;
};

static int take_part(struct span part, struct parts *p, const char **ret_why)
{
	struct span key = span_first(part, span_find(part, '='));
	if (key.len == part.len)
		return wrong(ret_why, "a part of it has no value: was it cut at a '&'? (put it in "
				      "single quotes)");
	struct span *into = span_is(key, "host")    ? &p->hosts
			    : span_is(key, "token") ? &p->token
			    : span_is(key, "pin")   ? &p->pin
			    : span_is(key, "tls")   ? &p->tls
						    : NULL;
	if (!into)
		return wrong(ret_why, "it has a part that this version does not know");
	if (into->ptr)
		return wrong(ret_why, "it has a part twice");
	*into = span_from(part, key.len + 1);
	return 0;
}

static int split(struct span text, struct parts *p, const char **ret_why)
{
	*p = (struct parts){{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}};
	for (bool more = true; more;) {
		struct span part = span_first(text, span_find(text, '&'));
		int r = take_part(part, p, ret_why);
		if (r < 0)
			return r;
		more = part.len < text.len;
		text = span_from(text, part.len + more);
	}
	return 0;
}

static int check(const struct parts *p, struct join *j, const char **ret_why)
{
	if (!p->token.ptr)
		return wrong(ret_why, "it has no token: was it cut at a '&'? (put it in single "
				      "quotes)");
	if (!p->hosts.len || p->hosts.len > NAME_MAX_LEN || !made_of(p->hosts, "._-*?[]!"))
		return wrong(ret_why, "host is not a host name or a glob of host names");
	if (!p->token.len || p->token.len > JOIN_TOKEN_MAX || !made_of(p->token, "_-"))
		return wrong(ret_why, "token is not a token");
	if (p->tls.ptr && !span_is(p->tls, "no"))
		return wrong(ret_why, "tls can only be no");
	if (p->tls.ptr && p->pin.ptr)
		return wrong(ret_why, "a pin needs TLS");
	if (p->pin.ptr && !pin_from_url(p->pin, j->pin))
		return wrong(ret_why, "pin is not 43 characters of base64url");
	keep(j->hosts, p->hosts);
	keep(j->token, p->token);
	j->tls = !p->tls.ptr;
	return 0;
}

static struct span trim(struct span s)
{
	while (s.len && strchr(" \t\r\n", s.ptr[0]) && s.ptr[0])
		s = span_from(s, 1);
	while (s.len && strchr(" \t\r\n", s.ptr[s.len - 1]) && s.ptr[s.len - 1])
		s.len--;
	return s;
}

int join_parse(struct span text, struct join *ret, const char **ret_why)
{
	struct join j = {.tls = true};
	struct parts parts;
	text = trim(text);
	if (!span_starts_with(text, SPAN_LITERAL(JOIN_SCHEME)))
		return wrong(ret_why, "it does not begin with " JOIN_SCHEME);
	if (text.len > JOIN_TEXT_MAX)
		return wrong(ret_why, "it is too long");
	text = span_from(text, sizeof(JOIN_SCHEME) - 1);
	struct span address = span_first(text, span_find(text, '?'));
	text = span_from(text, address.len < text.len ? address.len + 1 : address.len);
	if (address.len && address.ptr[address.len - 1] == '/')
		address.len--;
	int r = join_address(address, JOIN_PORT, j.address, ret_why);
	if (r == 0)
		r = split(text, &parts, ret_why);
	if (r == 0)
		r = check(&parts, &j, ret_why);
	if (r == 0)
		*ret = j;
	return r;
}

int join_format(const struct join *j, struct buf *out)
{
	size_t before = out->len;
	assert(*j->address && *j->hosts && *j->token && (j->tls || !*j->pin));
	int r = buf_printf(out, JOIN_SCHEME "%s?host=%s&token=%s", j->address, j->hosts, j->token);
	if (r == 0 && *j->pin)
		r = buf_add_str(out, "&pin=");
	if (r == 0 && *j->pin)
		r = pin_to_url(j->pin, out);
	if (r == 0 && !j->tls)
		r = buf_add_str(out, "&tls=no");
	if (r < 0)
		out->len = before;
	return r;
}
