/* `haul-agent check`: see check.h. Called by main, and by the unit before each reload.
 *
 * Files that are missing are wrong here, though not for the agent that runs: it says so and tries
 * again, for a token may come later than the agent. */
#include "agent/check.h"

#include "agent/files/discover.h"
#include "agent/journal/journal.h"
#include "common/file.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_CONFIG = 78, SECRET_MAX = 1 << 20 };

/* Says what is wrong with an option of [collector], and where that stands. */
static bool wrong(const struct setup *s, const char *key, const char *value, const char *why)
{
	const char *where = conf_key_where(s->conf, "collector", 0, key);
	log_error("%s: [collector] %s = %s: %s", where ? where : "default", key, value, why);
	return false;
}

static bool file_is_fine(const struct setup *s, const char *key, const char *path)
{
	struct buf content = BUF_EMPTY;
	if (!*path)
		return true;
	int r = file_read(AT_FDCWD, path, SECRET_MAX, &content);
	bool empty = content.len == 0;
	buf_free(&content);
	if (r < 0)
		return wrong(s, key, path, strerror(-r));
	return !empty || wrong(s, key, path, "the file is empty");
}

static bool files_are_fine(const struct setup *s)
{
	const struct collector_options *c = s->collector;
	bool fine = file_is_fine(s, "token_file", c->token_file);
	fine = file_is_fine(s, "ca_file", c->ca_file) && fine;
	fine = file_is_fine(s, "client_cert", c->client_cert) && fine;
	fine = file_is_fine(s, "client_key", c->client_key) && fine;
	if (*c->client_cert && !*c->client_key)
		fine = wrong(s, "client_cert", c->client_cert, "client_key is missing");
	if (!*c->client_cert && *c->client_key)
		fine = wrong(s, "client_key", c->client_key, "client_cert is missing");
	return fine;
}

static int print(const struct setup *s, struct buf *out)
{
	const struct discover_config dc = {.inputs = s->inputs.items, .n_inputs = s->inputs.n};
	int r = conf_print(s->conf, out);
	if (r == 0)
		r = buf_printf(out, "\n# host: %s\n# files that would be followed:\n", s->host);
	if (r == 0)
		r = discover_list(&dc, out);
	if (r == 0 && s->inputs.no_journal)
		r = buf_printf(out, "# the journal is not followed: %s\n", s->inputs.no_journal);
	for (size_t i = 0; i < s->inputs.n && r == 0; i++)
		if (s->inputs.items[i].type == INPUT_JOURNAL)
			r = journal_list(&s->inputs.items[i], out);
	return r;
}

int check_run(const struct setup *s, bool quiet)
{
	bool fine = files_are_fine(s);
	struct buf out = BUF_EMPTY;
	int r = quiet ? 0 : print(s, &out);
	if (r == 0 && out.len)
		(void)fwrite(out.ptr, 1, out.len, stdout);
	else if (r < 0)
		log_error("check: %s", strerror(-r));
	buf_free(&out);
	if (r < 0)
		return EXIT_FAILED;
	return fine ? EXIT_DONE : EXIT_CONFIG;
}
