/* The collector's configuration: see options.h. Read by the program at its start, at SIGHUP and by
 * its commands. */
#include "collector/options.h"

#include "collector/ingest/address.h"
#include "collector/ingest/tls.h"
#include "collector/ingest/tokens.h"
#include "common/join.h"
#include "common/num.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const seal_words[] = {"zstd", "gzip", "none", NULL};
static const char *const on_full_words[] = {"refuse", "expire", NULL};

static int check_listen(const char *value, const char **ret_why)
{
	return address_check(value, ret_why);
}

static int check_advertise(const char *value, const char **ret_why)
{
	char address[JOIN_ADDRESS_MAX];
	return join_address(span_of(value), JOIN_PORT, address, ret_why);
}

static int check_absolute(const char *value, const char **ret_why)
{
	if (value[0] == '/')
		return 0;
	*ret_why = "it must be a path from the root";
	return -EINVAL;
}

static int check_level(const char *value, const char **ret_why)
{
	uint64_t level;
	if (strcmp(value, "auto") == 0 ||
	    (num_parse_u64(span_of(value), &level) == 0 && level <= 22))
		return 0;
	*ret_why = "it must be auto or a number up to 22";
	return -EINVAL;
}

#define AT(type, field) .offset = offsetof(struct options_##type, field)
#define MIB             (UINT64_C(1) << 20)
#define TIB             (UINT64_C(1) << 40)

static const struct conf_option collector_options[] = {
	{.key = "listen",
	 .type = CONF_STRING,
	 AT(collector, listen),
	 .default_text = "127.0.0.1:8514",
	 .check = check_listen,
	 .help = "ADDRESS:PORT to take batches on; an IPv6 address stands in brackets"},
	{.key = "advertise",
	 .type = CONF_STRING,
	 AT(collector, advertise),
	 .check = check_advertise,
	 .help = "ADDRESS[:PORT] by which agents reach it, for join strings; empty: found out"},
	{.key = "data_dir",
	 .type = CONF_STRING,
	 AT(collector, data_dir),
	 .default_text = "/var/log/haul",
	 .check = check_absolute,
	 .help = "where the lines are kept"},
	{.key = "threads",
	 .type = CONF_UINT,
	 AT(collector, threads),
	 .default_text = "0",
	 .max = 256,
	 .help = "threads that receive, inflate and check; 0: one a core"},
	{.key = "max_batch",
	 .type = CONF_SIZE,
	 AT(collector, max_batch_bytes),
	 .default_text = "16M",
	 .min = 64 << 10,
	 .max = 64 * MIB,
	 .help = "largest body of a batch, compressed"},
	{.key = "memory_limit",
	 .type = CONF_SIZE,
	 AT(collector, memory_limit_bytes),
	 .default_text = "128M",
	 .min = 16 * MIB,
	 .max = TIB,
	 .help = "memory for batches in flight; beyond it agents wait"},
	{.key = "max_connections",
	 .type = CONF_UINT,
	 AT(collector, max_connections),
	 .default_text = "8192",
	 .min = 16,
	 .max = 1000000,
	 .help = "connections at a time; one address may have half of them"},
	{.key = "max_host_files",
	 .type = CONF_UINT,
	 AT(collector, max_host_files),
	 .default_text = "10000",
	 .min = 1,
	 .max = UINT32_MAX,
	 .help = "files that a host may begin in a day, one a day and service; beyond it its agent "
		 "waits"},
	{.key = "segment_bytes",
	 .type = CONF_SIZE,
	 AT(collector, segment_bytes),
	 .default_text = "256M",
	 .min = MIB,
	 .max = TIB,
	 .help = "a live file is closed at this size"},
	{.key = "seal_after",
	 .type = CONF_DURATION,
	 AT(collector, seal_after_ns),
	 .default_text = "1h",
	 .help = "files are compressed this long after their day has ended"},
	{.key = "seal",
	 .type = CONF_ENUM,
	 AT(collector, seal),
	 .default_text = "zstd",
	 .words = seal_words,
	 .help = "how they are compressed"},
	{.key = "seal_level",
	 .type = CONF_STRING,
	 AT(collector, seal_level),
	 .default_text = "auto",
	 .check = check_level,
	 .help = "auto: by backlog; or a number of the codec's"},
	{.key = "min_free",
	 .type = CONF_PERCENT_OR_SIZE,
	 AT(collector, min_free),
	 .default_text = "5%",
	 .help = "with less than this free on the disk nothing is taken"},
	{.key = "on_full",
	 .type = CONF_ENUM,
	 AT(collector, on_full),
	 .default_text = "refuse",
	 .words = on_full_words,
	 .help = "refuse: agents wait; expire: the oldest day is deleted first"},
	{.key = "insecure",
	 .type = CONF_BOOL,
	 AT(collector, insecure),
	 .default_text = "no",
	 .help = "yes: beyond loopback even without TLS, or without tokens and "
		 "certificates"},
};

static const struct conf_option tls_options[] = {
	{.key = "cert",
	 .type = CONF_STRING,
	 AT(tls, cert),
	 .help = "the collector's certificate, PEM; empty: no TLS"},
	{.key = "key", .type = CONF_STRING, AT(tls, key), .help = "its private key, PEM"},
	{.key = "client_ca",
	 .type = CONF_STRING,
	 AT(tls, client_ca),
	 .help = "agents must show a certificate of this CA; its name is the host"},
};

static const struct conf_option auth_options[] = {
	{.key = "tokens_file",
	 .type = CONF_STRING,
	 AT(auth, tokens_file),
	 .default_text = "/etc/haul/tokens",
	 .help = "who may send for which host; see haul-collector token"},
};

static const struct conf_option retention_options[] = {
	{.key = "max_age",
	 .type = CONF_DURATION,
	 AT(retention, max_age_ns),
	 .default_text = "30d",
	 .help = "days older than this are deleted; empty or 0: never"},
	{.key = "max_bytes",
	 .type = CONF_SIZE,
	 AT(retention, max_bytes),
	 .help = "the oldest days are deleted beyond this size; empty: no limit"},
	{.key = "hold",
	 .type = CONF_BOOL,
	 AT(retention, hold),
	 .default_text = "no",
	 .help = "yes: nothing is deleted, whatever the other limits say"},
};

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

const struct conf_section options_sections[] = {
	{.name = "collector",
	 .repeat = CONF_ONCE,
	 .options = collector_options,
	 .n_options = COUNT(collector_options),
	 .size = sizeof(struct options_collector)},
	{.name = "tls",
	 .repeat = CONF_ONCE,
	 .options = tls_options,
	 .n_options = COUNT(tls_options),
	 .size = sizeof(struct options_tls)},
	{.name = "auth",
	 .repeat = CONF_ONCE,
	 .options = auth_options,
	 .n_options = COUNT(auth_options),
	 .size = sizeof(struct options_auth)},
	{.name = "retention",
	 .repeat = CONF_BOTH,
	 .options = retention_options,
	 .n_options = COUNT(retention_options),
	 .size = sizeof(struct options_retention)},
};
const size_t options_n_sections = COUNT(options_sections);

/* --- what only shows together --- */

static const char *where(const struct options *o, const char *section, const char *key)
{
	const char *place = conf_key_where(o->conf, section, 0, key);
	return place ? place : "default";
}

static int wrong(const struct options *o, const char *section, const char *key,
		 struct conf_error *err, const char *why)
{
	(void)snprintf(err->text, sizeof(err->text), "%s: [%s] %s: %s", where(o, section, key),
		       section, key, why);
	return -EINVAL;
}

static int check_tls(const struct options *o, struct conf_error *err)
{
	const struct options_tls *t = o->tls;
	if (*t->cert && !*t->key)
		return wrong(o, "tls", "cert", err, "key is missing");
	if (!*t->cert && *t->key)
		return wrong(o, "tls", "key", err, "cert is missing");
	if (!*t->cert && *t->client_ca)
		return wrong(o, "tls", "client_ca", err, "cert and key are missing");
	if (!*t->cert)
		return 0;
	struct tls *tls = NULL;
	struct conf_error why;
	int r = tls_new((struct tls_files){t->cert, t->key, t->client_ca}, &tls, &why);
	tls_free(tls);
	if (r < 0)
		(void)snprintf(err->text, sizeof(err->text), "%.200s: %.4000s",
			       where(o, "tls", "cert"), why.text);
	return r;
}

static int check_exposure(const struct options *o, size_t n_tokens, struct conf_error *err)
{
	struct sockaddr_storage address;
	const char *why;
	if (address_resolve(o->collector->listen, &address, &why) < 0)
		return wrong(o, "collector", "listen", err, why);
	if (address_is_loopback((struct sockaddr *)&address) || o->collector->insecure)
		return 0;
	if (!*o->tls->cert)
		return wrong(o, "collector", "listen", err,
			     "beyond loopback [tls] cert and key are needed (or insecure "
			     "= yes)");
	if (!*o->tls->client_ca && n_tokens == 0)
		return wrong(o, "collector", "listen", err,
			     "beyond loopback agents must show who they are: make tokens by "
			     "haul-collector "
			     "token add HOST, or set [tls] client_ca (or insecure = yes)");
	return 0;
}

int options_check(const struct options *o, struct conf_error *err)
{
	int r = check_tls(o, err);
	if (r < 0)
		return r;
	struct tokens tokens = {0};
	if (*o->auth->tokens_file)
		r = tokens_read(o->auth->tokens_file, &tokens, err);
	if (r < 0)
		return r;
	r = check_exposure(o, tokens.n, err);
	tokens_free(&tokens);
	return r;
}

int options_read(const char *path, bool optional, struct options **ret, struct conf_error *err)
{
	struct options *o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	int r = conf_read(options_sections, options_n_sections, path, optional, &o->conf, err);
	if (r == 0) {
		o->collector = conf_get(o->conf, "collector", 0);
		o->tls = conf_get(o->conf, "tls", 0);
		o->auth = conf_get(o->conf, "auth", 0);
		*ret = o;
	} else {
		free(o);
	}
	return r;
}

void options_free(struct options *o)
{
	if (!o)
		return;
	conf_free(o->conf);
	free(o);
}

bool options_is_loopback(const char *listen)
{
	struct sockaddr_storage address;
	const char *why;
	return address_resolve(listen, &address, &why) == 0 &&
	       address_is_loopback((struct sockaddr *)&address);
}
