/* haul-collector init: see init.h. Called by main.
 *
 *     check -> authority -> server's key and certificate -> drop-in
 *
 * For /etc/haul/collector.conf: tls/ca.pem, tls/ca.key, tls/cert.pem, tls/key.pem beside it, and
 * collector.conf.d/tls.conf, which names them. Each file is put in place whole, the drop-in last:
 * an init that was killed before it has changed nothing for the collector, and the next one goes on
 * with the keys that are there. What others have made is never written over. */
#include "collector/init.h"

#include "collector/authority.h"
#include "collector/enrol.h"
#include "collector/ingest/address.h"
#include "collector/ingest/tls.h"
#include "collector/options.h"
#include "common/file.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_CONFIG = 78 };
enum { PEM_MAX = 1 << 20, PATH_ROOM = PATH_MAX - 64 };

struct paths {
	char dir[PATH_MAX];     /* tls */
	char drop_in[PATH_MAX]; /* collector.conf.d/tls.conf */
	char ca_cert[PATH_MAX], ca_key[PATH_MAX], cert[PATH_MAX], key[PATH_MAX];
};

struct init {
	const struct options *o;
	bool renew;
	struct paths at;
	char *names[AUTHORITY_NAMES];
	size_t n_names;
	struct authority_pair ca, server;
};

static int failed(const char *what, const char *path, int r)
{
	log_error("%s %s: %s%s", what, path, strerror(-r),
		  r == -EACCES || r == -EPERM ? " (init is for root)" : "");
	return EXIT_FAILED;
}

/* --- where --- */

static int find_paths(const char *config, struct paths *p)
{
	char copy[PATH_MAX], real[PATH_MAX];
	struct span file = span_of(config);
	if (file.len >= PATH_ROOM || !span_ends_with(file, SPAN_LITERAL(".conf"))) {
		log_error("%s: its name must end in .conf, for init writes into the directory "
			  "beside it",
			  config);
		return EXIT_USAGE;
	}
	const char *slash = strrchr(config, '/');
	(void)snprintf(copy, sizeof(copy), "%.*s", slash ? (int)(slash - config) + 1 : 1,
		       slash ? config : ".");
	int r = file_make_dirs(copy, 0755);
	if (r < 0 || !realpath(copy, real))
		return failed("directory", copy, r < 0 ? r : -errno);
	(void)snprintf(p->dir, sizeof(p->dir), "%.*s/tls", PATH_ROOM, real);
	(void)snprintf(p->drop_in, sizeof(p->drop_in), "%s.d/tls.conf", config);
	(void)snprintf(p->ca_cert, sizeof(p->ca_cert), "%.*s/ca.pem", PATH_ROOM, p->dir);
	(void)snprintf(p->ca_key, sizeof(p->ca_key), "%.*s/ca.key", PATH_ROOM, p->dir);
	(void)snprintf(p->cert, sizeof(p->cert), "%.*s/cert.pem", PATH_ROOM, p->dir);
	(void)snprintf(p->key, sizeof(p->key), "%.*s/key.pem", PATH_ROOM, p->dir);
	return EXIT_DONE;
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static int check(const struct init *in)
{
	const char *where = conf_key_where(in->o->conf, "tls", 0, "cert");
	bool own = where && strncmp(where, in->at.drop_in, strlen(in->at.drop_in)) == 0;
	if (where && !own)
		log_error("%s: there is a certificate already: nothing is made", where);
	else if (own && !in->renew)
		log_error(
			"%s: init was here: nothing is made (init --renew makes a new certificate "
			"for the same key)",
			where);
	else if (in->renew && !own)
		log_error("%s is not there: no certificate was made by init", in->at.drop_in);
	else if (!in->renew && exists(in->at.cert))
		log_error("%s is there already, and nothing names it: set [tls] cert and key, or "
			  "move it away",
			  in->at.cert);
	else
		return EXIT_DONE;
	return EXIT_FAILED;
}

/* --- names --- */

static int take_name(struct init *in, const char *name)
{
	bool room = in->n_names < AUTHORITY_NAMES;
	if (!room || !authority_valid_name(name)) {
		log_error("%s: %s", name,
			  room ? "not a DNS name or an IP address" : "one name too many");
		return EXIT_USAGE;
	}
	in->names[in->n_names] = strdup(name);
	if (!in->names[in->n_names])
		return failed("name", name, -ENOMEM);
	in->n_names++;
	return EXIT_DONE;
}

/* Where it listens on one address only, that is how it is reached. */
static int take_own_names(struct init *in)
{
	struct sockaddr_storage a;
	char text[ADDRESS_TEXT_MAX], own[JOIN_ADDRESS_MAX];
	const char *why;
	int code = EXIT_DONE;
	if (address_resolve(in->o->collector->listen, &a, &why) == 0 && !address_is_any(&a) &&
	    conf_given(in->o->conf, "collector", 0, "listen")) {
		address_format_host(&a, text);
		code = take_name(in, text);
	}
	enrol_own_name(own);
	return code == EXIT_DONE ? take_name(in, own) : code;
}

static int take_names(struct init *in, const struct commands_args *args)
{
	int code = args->n_words ? EXIT_DONE : take_own_names(in);
	for (int i = 0; i < args->n_words && code == EXIT_DONE; i++)
		code = take_name(in, args->words[i]);
	return code;
}

/* --- certificates --- */

static int read_pair(const char *cert, const char *key, struct authority_pair *pair)
{
	int r = file_read(AT_FDCWD, cert, PEM_MAX, &pair->cert);
	if (r == 0)
		r = file_read(AT_FDCWD, key, PEM_MAX, &pair->key);
	return r;
}

/* Whose the collector's key is: the collector's, who owns the data directory. The authority's stays
 * root's. */
static int write_pem(const char *path, const struct buf *pem, mode_t mode, const char *like)
{
	int r = file_replace_like(AT_FDCWD, path, buf_span(pem), mode, like);
	return r < 0 ? failed("cannot write", path, r) : EXIT_DONE;
}

static int get_authority(struct init *in)
{
	struct conf_error err;
	char name[JOIN_ADDRESS_MAX + 32];
	if (exists(in->at.ca_cert)) {
		int r = read_pair(in->at.ca_cert, in->at.ca_key, &in->ca);
		return r < 0 ? failed("authority", in->at.ca_key, r) : EXIT_DONE;
	}
	(void)snprintf(name, sizeof(name), "haul %s", in->names[0]);
	if (authority_make(name, &in->ca, &err) < 0) {
		log_error("%s", err.text);
		return EXIT_FAILED;
	}
	int code = write_pem(in->at.ca_key, &in->ca.key, 0600, NULL);
	return code == EXIT_DONE ? write_pem(in->at.ca_cert, &in->ca.cert, 0644, NULL) : code;
}

static int issue(struct init *in)
{
	struct conf_error err;
	const char *like = in->o->collector->data_dir;
	int r = file_read(AT_FDCWD, in->at.key, PEM_MAX, &in->server.key);
	if (r < 0 && (r != -ENOENT || in->renew))
		return failed("key", in->at.key, r);
	if (authority_issue(&in->ca, (const char *const *)in->names, in->n_names, &in->server,
			    &err) < 0) {
		log_error("%s", err.text);
		return EXIT_FAILED;
	}
	int code = write_pem(in->at.key, &in->server.key, 0600, like);
	return code == EXIT_DONE ? write_pem(in->at.cert, &in->server.cert, 0644, like) : code;
}

/* --- the configuration --- */

/* All addresses, of both families where the machine has both. */
static const char *any_address(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool v6 = fd >= 0;
	file_close(&fd);
	return v6 ? "[::]" : "0.0.0.0";
}

static int write_drop_in(const struct init *in)
{
	char dir[PATH_MAX];
	struct buf text = BUF_EMPTY;
	const char *name = in->names[0];
	int r = buf_printf(&text, "# Written by haul-collector init.\n[collector]\n");
	if (r == 0 && !conf_given(in->o->conf, "collector", 0, "listen"))
		r = buf_printf(&text, "listen = %s:%d\n", any_address(), JOIN_PORT);
	if (r == 0 && !conf_given(in->o->conf, "collector", 0, "advertise"))
		r = buf_printf(&text, strchr(name, ':') ? "advertise = [%s]\n" : "advertise = %s\n",
			       name);
	if (r == 0)
		r = buf_printf(&text, "\n[tls]\ncert = %s\nkey = %s\n", in->at.cert, in->at.key);
	(void)snprintf(dir, sizeof(dir), "%.*s",
		       (int)(strrchr(in->at.drop_in, '/') - in->at.drop_in), in->at.drop_in);
	if (r == 0)
		r = file_make_dirs(dir, 0755);
	if (r == 0)
		r = file_replace(AT_FDCWD, in->at.drop_in, buf_span(&text), 0644);
	buf_free(&text);
	return r < 0 ? failed("cannot write", in->at.drop_in, r) : EXIT_DONE;
}

static void say_done(const struct init *in)
{
	char pin[TLS_PIN_MAX] = "?";
	struct conf_error err;
	(void)!tls_pin_of_file(in->at.cert, pin, &err);
	if (in->renew)
		log_notice("a new certificate for %s is in %s, its pin is %s as before: have the "
			   "collector reload (SIGHUP)",
			   in->names[0], in->at.dir, pin);
	else
		log_notice("a certificate for %s is in %s, its pin is %s, and %s names it. Next: "
			   "haul-collector token add HOST; restart the collector",
			   in->names[0], in->at.dir, pin, in->at.drop_in);
}

static int run(struct init *in, const struct commands_args *args)
{
	int code = check(in), r;
	if (code == EXIT_DONE && in->renew && args->n_words == 0) {
		struct buf cert = BUF_EMPTY;
		if ((r = file_read(AT_FDCWD, in->at.cert, PEM_MAX, &cert)) < 0 ||
		    (r = authority_names(&cert, in->names, &in->n_names)) < 0)
			code = failed("certificate", in->at.cert, r);
		buf_free(&cert);
	}
	if (code == EXIT_DONE && in->n_names == 0)
		code = take_names(in, args);
	if (code == EXIT_DONE && (r = file_make_dirs(in->at.dir, 0755)) < 0)
		code = failed("directory", in->at.dir, r);
	if (code == EXIT_DONE)
		code = get_authority(in);
	if (code == EXIT_DONE)
		code = issue(in);
	if (code == EXIT_DONE && !in->renew)
		code = write_drop_in(in);
	if (code == EXIT_DONE)
		say_done(in);
	return code;
}

int init_run(const struct commands_args *args)
{
	struct options *o = NULL;
	struct conf_error err = {"no memory"};
	if (options_read(args->config, args->config_optional, &o, &err) < 0) {
		log_error("%s", err.text);
		return EXIT_CONFIG;
	}
	struct init in = {.o = o, .renew = args->renew};
	int code = find_paths(args->config, &in.at);
	if (code == EXIT_DONE)
		code = run(&in, args);
	while (in.n_names)
		free(in.names[--in.n_names]);
	authority_pair_free(&in.ca);
	authority_pair_free(&in.server);
	options_free(o);
	return code;
}
