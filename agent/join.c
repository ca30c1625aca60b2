/* haul-agent join: see join.h. Called by main.
 *
 *     check the string and the host's name -> token file -> try -> other settings become comments -> drop-in ->
 *     the tokens of earlier joins go
 *
 * For /etc/haul/agent.conf it writes into agent.conf.d: the token to a file of its own
 * (collector-*.token, mode 0600), the rest to collector.conf, which names it. The rename of
 * collector.conf is the moment in which the host has joined. Nothing but the token file is written
 * before the collector has answered, and a join that fails takes it away again; one that is killed
 * leaves at most that file behind, which the next one takes away. */
#include "agent/join.h"

#include "agent/displace.h"
#include "agent/machine.h"
#include "agent/setup.h"
#include "agent/ship/trial.h"
#include "common/file.h"
#include "common/glob.h"
#include "common/join.h"
#include "common/log.h"
#include "common/num.h"
#include "common/stream_id.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_CONFIG = 78 };

#define DROP_IN      "collector.conf"
#define TOKEN_PREFIX "collector-"
#define TOKEN_SUFFIX ".token"
#define TIMEOUT_NS   (20 * NUM_SEC_NS)

struct joining {
	const char *file;
	struct join join;
	struct setup setup;
	const char *host;     /* that the agent will have */
	bool set_host;        /* the drop-in says so */
	char dir[PATH_MAX];   /* FILE.d as the configuration reader spells it */
	char token[PATH_MAX]; /* path of the token file */
	char uuid[UUID_LEN + 1];
	char url[JOIN_ADDRESS_MAX + 16];
};

/* --- before anything is written --- */

/* A line of stdin, so that the token stands in no history and no list of processes. */
static const char *read_stdin(char text[JOIN_TEXT_MAX + 2])
{
	if (!fgets(text, JOIN_TEXT_MAX + 2, stdin))
		text[0] = '\0';
	return text;
}

/* Where the key is set other than by an earlier join; NULL: nowhere. */
static const char *set_elsewhere(const struct joining *j, const char *section, const char *key)
{
	const char *where = conf_key_where(j->setup.conf, section, 0, key);
	size_t len = strlen(j->dir);
	if (where && strncmp(where, j->dir, len) == 0 &&
	    strncmp(where + len, "/" DROP_IN ":", sizeof("/" DROP_IN)) == 0)
		return NULL;
	return where;
}

/* A token for one name gives the host that name, unless the configuration says another; one for a
 * glob must fit the name that the host has. What an earlier join has set is written again, for its
 * file is replaced. */
static int choose_host(struct joining *j)
{
	const char *where = set_elsewhere(j, "agent", "host"), *hosts = j->join.hosts;
	bool by_join = !where && conf_given(j->setup.conf, "agent", 0, "host");
	j->host = j->setup.host;
	if (!where && name_valid_host(span_of(hosts)))
		j->host = hosts;
	if (!glob_match_name(hosts, j->host)) {
		log_error("the token is for %s, and this host is %s (%s): take one for this host, "
			  "or set [agent] host",
			  hosts, j->host, where ? where : "its short name");
		return EXIT_FAILED;
	}
	j->set_host = by_join || strcmp(j->host, j->setup.host) != 0;
	return EXIT_DONE;
}

static int find_directory(struct joining *j)
{
	struct span file = span_of(j->file);
	if (span_ends_with(file, SPAN_LITERAL(".conf")) && file.len < sizeof(j->dir) - NAME_MAX) {
		memcpy(j->dir, file.ptr, file.len);
		memcpy(j->dir + file.len, ".d", sizeof(".d"));
		return EXIT_DONE;
	}
	log_error("%s: its name must end in .conf, for join writes into the directory beside it",
		  j->file);
	return EXIT_USAGE;
}

/* --- files --- */

static int failed(const char *what, const char *path, int r)
{
	log_error("cannot write %s %s: %s%s; nothing has changed", what, path, strerror(-r),
		  r == -EACCES || r == -EPERM ? " (join is for root)" : "");
	return EXIT_FAILED;
}

static int write_token(struct joining *j)
{
	char real[PATH_MAX], name[STREAM_ID_HEX + 1] = "";
	struct stream_id random;
	int r = file_make_dirs(j->dir, 0755);
	if (r < 0)
		return failed("directory", j->dir, r);
	if (!realpath(j->dir, real))
		return failed("directory", j->dir, -errno);
	r = stream_id_random(&random);
	if (r == 0)
		stream_id_format(name, &random);
	int len = snprintf(j->token, sizeof(j->token), "%s/" TOKEN_PREFIX "%.8s" TOKEN_SUFFIX, real,
			   name);
	if (len < 0 || (size_t)len >= sizeof(j->token))
		r = -ENAMETOOLONG;
	struct buf line = BUF_EMPTY;
	if (r == 0)
		r = buf_printf(&line, "%s\n", j->join.token);
	if (r == 0)
		r = file_replace_like(AT_FDCWD, j->token, buf_span(&line), 0600,
				      j->setup.agent->state_dir);
	if (line.ptr)
		explicit_bzero(line.ptr, line.cap);
	buf_free(&line);
	return r < 0 ? failed("token file", j->token, r) : EXIT_DONE;
}

static int compose(const struct joining *j, struct buf *out)
{
	int r = buf_printf(out,
			   "# Written by haul-agent join; a further join writes it anew.\n"
			   "[collector]\nurl = %s\nuuid = %s\ntoken_file = %s\n",
			   j->url, j->uuid, j->token);
	if (r == 0 && *j->join.pin)
		r = buf_printf(out, "pin = %s\n", j->join.pin);
	if (r == 0 && j->set_host)
		r = buf_printf(out, "\n[agent]\nhost = %s\n", j->host);
	return r;
}

/* Nothing in it is secret, and `haul-agent status` is for everybody. */
static int write_drop_in(struct joining *j)
{
	char path[PATH_MAX];
	struct buf text = BUF_EMPTY;
	(void)snprintf(path, sizeof(path), "%.*s/" DROP_IN, PATH_MAX - NAME_MAX, j->dir);
	int r = compose(j, &text);
	if (r == 0)
		r = file_replace(AT_FDCWD, path, buf_span(&text), 0644);
	buf_free(&text);
	return r < 0 ? failed("configuration", path, r) : EXIT_DONE;
}

/* Two places would add up to two addresses, or be an error that stops the agent. */
static int make_way(const struct joining *j)
{
	char path[PATH_MAX];
	int r = displace_collector(j->file, j->dir, DROP_IN, path);
	return r < 0 ? failed("configuration", path, r) : EXIT_DONE;
}

/* The tokens of earlier joins, and of such as were killed. */
static void remove_old_tokens(const struct joining *j)
{
	const char *own = strrchr(j->token, '/') + 1;
	DIR *dir = opendir(j->dir);
	for (struct dirent *e; dir && (e = readdir(dir));) {
		struct span name = span_of(e->d_name);
		if (span_starts_with(name, SPAN_LITERAL(TOKEN_PREFIX)) && !span_is(name, own) &&
		    (span_ends_with(name, SPAN_LITERAL(TOKEN_SUFFIX)) ||
		     span_ends_with(name, SPAN_LITERAL(TOKEN_SUFFIX ".tmp"))))
			(void)unlinkat(dirfd(dir), e->d_name, 0);
	}
	if (dir)
		(void)closedir(dir);
}

/* --- the whole --- */

static int try_collector(struct joining *j)
{
	const struct collector_options *c = j->setup.collector;
	char machine[MACHINE_LEN + 1], why[512];
	int r = machine_find("", machine);
	if (r < 0) {
		log_error("/etc/machine-id cannot be read: %s; this host has not joined, and "
			  "nothing has "
			  "changed",
			  strerror(-r));
		return EXIT_FAILED;
	}
	struct trial_config config = {
		.url = j->url,
		.exchange = {.token_file = j->token,
			     .ca_file = "",
			     .pin = j->join.pin,
			     .client_cert = c->client_cert,
			     .client_key = c->client_key,
			     .timeout_ns = TIMEOUT_NS},
		.host = j->host,
		.machine = machine,
	};
	if (trial_run(&config, j->uuid, why, sizeof(why)) == 0)
		return EXIT_DONE;
	log_error("collector %s: %s; this host has not joined, and nothing has changed", j->url,
		  why);
	return EXIT_FAILED;
}

static int join_files(struct joining *j)
{
	int code = write_token(j);
	if (code != EXIT_DONE)
		return code;
	code = try_collector(j);
	if (code == EXIT_DONE)
		code = make_way(j);
	if (code == EXIT_DONE)
		code = write_drop_in(j);
	if (code == EXIT_DONE) {
		remove_old_tokens(j);
		log_notice("host %s has joined collector %s (%s%s); %s/" DROP_IN
			   " says so: start the agent, or have it reload, to make it hold",
			   j->host, j->url, j->uuid,
			   !j->join.tls   ? ", without TLS"
			   : *j->join.pin ? ", known by its key"
					  : ", known by its certificate",
			   j->dir);
	} else {
		(void)unlink(j->token);
		(void)rmdir(j->dir); /* only when nothing else is in it */
	}
	return code;
}

int join_run(const char *file, const char *text)
{
	struct joining j = {.file = file ? file : OPTIONS_DEFAULT_FILE};
	char line[JOIN_TEXT_MAX + 2];
	const char *why;
	struct conf_error err;
	if (strcmp(text, "-") == 0)
		text = read_stdin(line);
	if (join_parse(span_of(text), &j.join, &why) < 0) {
		log_error("this is not a join string: %s; `haul-collector token add HOST` prints "
			  "one",
			  why);
		return EXIT_USAGE;
	}
	int code = find_directory(&j);
	if (code != EXIT_DONE)
		return code;
	if (setup_read(file, &j.setup, &err) < 0) {
		log_error("%s", err.text);
		return EXIT_CONFIG;
	}
	(void)snprintf(j.url, sizeof(j.url), "%s://%s", j.join.tls ? "https" : "http",
		       j.join.address);
	code = choose_host(&j);
	if (code == EXIT_DONE)
		code = join_files(&j);
	setup_free(&j.setup);
	explicit_bzero(&j.join, sizeof(j.join));
	return code;
}
