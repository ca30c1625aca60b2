/* The collector's configuration: one table for each section, from which the parser, the defaults,
 * what `check` prints and the list in haul-collector.conf(5) come. */
#ifndef HAUL_COLLECTOR_OPTIONS_H
#define HAUL_COLLECTOR_OPTIONS_H

#include "common/conf.h"

#define OPTIONS_DEFAULT_FILE "/etc/haul/collector.conf"

enum options_seal { SEAL_ZSTD, SEAL_GZIP, SEAL_NONE };
enum options_on_full { ON_FULL_REFUSE, ON_FULL_EXPIRE };

struct options_collector { /* [collector] */
	char *listen;
	char *advertise;
	char *data_dir;
	uint64_t threads; /* 0: one a core */
	uint64_t max_batch_bytes;
	uint64_t memory_limit_bytes;
	uint64_t max_connections;
	uint64_t max_host_files;
	uint64_t segment_bytes;
	int64_t seal_after_ns;
	int seal;         /* enum options_seal */
	char *seal_level; /* "auto" or a number */
	struct conf_amount min_free;
	int on_full; /* enum options_on_full */
	bool insecure;
};

struct options_tls { /* [tls] */
	char *cert;
	char *key;
	char *client_ca;
};

struct options_auth { /* [auth] */
	char *tokens_file;
};

struct options_retention {  /* [retention], [retention GLOB] */
	int64_t max_age_ns; /* 0: for ever */
	uint64_t max_bytes; /* 0: as many as there are */
	bool hold;
};

/* A configuration that was read. Immutable. */
struct options {
	struct conf *conf;
	const struct options_collector *collector;
	const struct options_tls *tls;
	const struct options_auth *auth;
};

extern const struct conf_section options_sections[];
extern const size_t options_n_sections;

/* Reads `path`; `optional`: it need not be there. Errors, with `err`: -EINVAL, -errno of
 * reading. */
int options_read(const char *path, bool optional, struct options **ret,
		 struct conf_error *err) MUST_CHECK;
void options_free(struct options *o);

/* What only shows when several options are seen together (a listener beyond loopback without TLS
 * and credentials, a certificate without its key), and in the files that they name. Errors, with
 * `err`: as above. */
int options_check(const struct options *o, struct conf_error *err) MUST_CHECK;

/* Is that listener (as in `listen`) out of reach for other machines? */
bool options_is_loopback(const char *listen);

#endif
