/* Join strings, as somebody may have copied or made them up: what is taken is fit for a
 * configuration file and a URL, and is written again so that it reads the same. */
#include "common/join.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* Nothing that would end a line or a word of the configuration. */
static void check_text(const char *text)
{
	for (; *text; text++)
		check(*text > ' ' && *text < 0x7f && *text != '"' && *text != '#' && *text != ';');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct join j, again;
	const char *why = NULL;
	struct buf out = BUF_EMPTY;
	if (join_parse(span_make((const char *)data, size), &j, &why) < 0) {
		check(why && *why);
		return 0;
	}
	check_text(j.address);
	check_text(j.hosts);
	check_text(j.token);
	check_text(j.pin);
	check(*j.address && *j.hosts && *j.token);
	check(join_format(&j, &out) == 0 && out.len < 2 * JOIN_TEXT_MAX);
	check(join_parse(buf_span(&out), &again, &why) == 0);
	check(strcmp(j.address, again.address) == 0 && strcmp(j.hosts, again.hosts) == 0 &&
	      strcmp(j.token, again.token) == 0 && strcmp(j.pin, again.pin) == 0 &&
	      j.tls == again.tls);
	buf_free(&out);
	return 0;
}
