/* The commands: see commands.h. Called by main. What they were asked for goes to stdout, everything
 * else to stderr. */
#include "collector/commands.h"

#include "collector/ask.h"
#include "collector/enrol.h"
#include "collector/ingest/tokens.h"
#include "collector/options.h"
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_CONFIG = 78 };

static int usage(const char *text)
{
	(void)fprintf(stderr, "haul-collector: %s; see haul-collector --help\n", text);
	return EXIT_USAGE;
}

static int put(struct buf *out)
{
	size_t n = fwrite(out->ptr, 1, out->len, stdout);
	if (n == out->len && fflush(stdout) == 0)
		return EXIT_OK;
	log_error("cannot write to stdout: %s", strerror(errno));
	return EXIT_FAILED;
}

static struct options *read_options(const struct commands_args *args, bool whole)
{
	struct options *o = NULL;
	struct conf_error err = {"no memory"};
	int r = options_read(args->config, args->config_optional, &o, &err);
	if (r == 0 && whole)
		r = options_check(o, &err);
	if (r == 0)
		return o;
	log_error("%s", err.text);
	options_free(o);
	return NULL;
}

int commands_check(const struct commands_args *args)
{
	if (args->n_words)
		return usage("check takes no further words");
	struct options *o = read_options(args, true);
	if (!o)
		return EXIT_CONFIG;
	struct buf out = BUF_EMPTY;
	int code = EXIT_FAILED;
	if (args->quiet)
		code = EXIT_OK; /* what is wrong was said */
	else if (conf_print(o->conf, &out) < 0)
		log_error("no memory");
	else
		code = put(&out);
	buf_free(&out);
	options_free(o);
	return code;
}

int commands_status(const struct commands_args *args)
{
	if (args->n_words)
		return usage("status takes no further words");
	struct options *o = read_options(args, false);
	if (!o)
		return EXIT_CONFIG;
	struct buf out = BUF_EMPTY;
	struct conf_error err = {"no memory"};
	int code = EXIT_FAILED;
	if (ask_collector(o, args->json ? "/v1/status" : "/v1/status?format=text", &out, &err) < 0)
		log_error("%s", err.text);
	else
		code = put(&out);
	buf_free(&out);
	options_free(o);
	return code;
}

/* --- token --- */

/* The string is tried first, so that a token that cannot be told is not made. */
static int token_add(const struct options *o, const char *hosts)
{
	char token[TOKEN_LEN + 1];
	struct conf_error err = {"no memory"};
	struct buf line = BUF_EMPTY;
	int r = enrol_string(o, "HOST", "TOKEN", &line, &err);
	buf_clear(&line);
	if (r == 0)
		r = tokens_add(o->auth->tokens_file, hosts, o->collector->data_dir, token, &err);
	if (r == 0)
		r = enrol_string(o, hosts, token, &line, &err);
	if (r == 0)
		r = buf_add_char(&line, '\n');
	int code = EXIT_FAILED;
	if (r < 0)
		log_error("%s", err.text);
	else
		code = put(&line);
	if (code == EXIT_OK)
		log_notice(
			"the join string of %s, shown this once: type haul-agent join '...' there",
			hosts);
	buf_free(&line);
	return code;
}

static int token_list(const struct options *o)
{
	struct tokens tokens;
	struct conf_error err = {"no memory"};
	if (tokens_read(o->auth->tokens_file, &tokens, &err) < 0) {
		log_error("%s", err.text);
		return EXIT_FAILED;
	}
	struct buf out = BUF_EMPTY;
	int r = 0;
	for (size_t i = 0; i < tokens.n && r == 0; i++)
		r = buf_printf(&out, "%-40s %s%016llx...\n", tokens.items[i].hosts, TOKEN_PREFIX,
			       (unsigned long long)tokens.items[i].salt);
	tokens_free(&tokens);
	int code = r < 0 ? EXIT_FAILED : put(&out);
	buf_free(&out);
	return code;
}

static int token_revoke(const struct options *o, const char *hosts)
{
	size_t count;
	struct conf_error err = {"no memory"};
	if (tokens_revoke(o->auth->tokens_file, hosts, &count, &err) < 0) {
		log_error("%s", err.text);
		return EXIT_FAILED;
	}
	if (count == 0) {
		log_error("%s has no token in %s", hosts, o->auth->tokens_file);
		return EXIT_FAILED;
	}
	log_notice("%zu token%s of %s revoked", count, count == 1 ? "" : "s", hosts);
	return EXIT_OK;
}

int commands_token(const struct commands_args *args)
{
	const char *verb = args->n_words ? args->words[0] : "";
	bool list = strcmp(verb, "list") == 0 && args->n_words == 1;
	bool add = strcmp(verb, "add") == 0 && args->n_words == 2;
	bool revoke = strcmp(verb, "revoke") == 0 && args->n_words == 2;
	if (!list && !add && !revoke)
		return usage("token takes: add HOST, list, or revoke HOST");
	struct options *o = read_options(args, false);
	if (!o)
		return EXIT_CONFIG;
	int code;
	if (!*o->auth->tokens_file) {
		log_error("[auth] tokens_file is empty: there is no file for tokens");
		code = EXIT_CONFIG;
	} else if (list) {
		code = token_list(o);
	} else if (add) {
		code = token_add(o, args->words[1]);
	} else {
		code = token_revoke(o, args->words[1]);
	}
	options_free(o);
	return code;
}
