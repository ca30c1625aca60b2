/* The configuration, made ready: see setup.h. */
#include "agent/setup.h"

#include "common/name.h"
#include "common/span.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int find_host(const char *configured, char **ret)
{
	struct buf name = BUF_EMPTY;
	char host[256] = "";
	struct span text = span_of(configured);
	if (!text.len) {
		(void)gethostname(host, sizeof(host) - 1);
		text = span_of(host);
		text.len = span_find(text, '.');
	}
	int r = name_make_host(text, &name);
	const char *made = r == 0 ? buf_cstr(&name) : NULL;
	*ret = made ? strdup(made) : NULL;
	buf_free(&name);
	return *ret ? 0 : -ENOMEM;
}

int setup_read(const char *file, struct setup *ret, struct conf_error *err)
{
	struct setup s = {0};
	int r = options_read(file, &s.conf, err);
	if (r < 0)
		return r;
	(void)snprintf(err->text, sizeof(err->text), "out of memory");
	s.agent = conf_get(s.conf, "agent", 0);
	s.collector = conf_get(s.conf, "collector", 0);
	r = inputs_new(s.conf, &s.inputs, err);
	if (r == 0)
		r = find_host(s.agent->host, &s.host);
	if (r == 0 && !s.collector->urls.n) {
		(void)snprintf(err->text, sizeof(err->text), "%s: [collector]: url is empty",
			       conf_where(s.conf, "collector", 0));
		r = -EINVAL;
	}
	if (r < 0) {
		setup_free(&s);
		return r;
	}
	*ret = s;
	return 0;
}

void setup_free(struct setup *s)
{
	inputs_free(&s->inputs);
	conf_free(s->conf);
	free(s->host);
	*s = (struct setup){0};
}
