/* Reload: see collector_inside.h. All that can be wrong is tried before anything is changed. */
#include "collector/collector_inside.h"
#include "collector/policy.h"
#include "common/log.h"
#include "common/notify.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static void warn_fixed(const struct collector *c, const struct options *o)
{
	const struct options_collector *a = c->options->collector, *b = o->collector;
	if (strcmp(c->listen, b->listen) != 0)
		log_warning("listen = %s takes effect at the next start; still on %s", b->listen,
			    c->listen);
	if (strcmp(c->data_dir, b->data_dir) != 0)
		log_warning("data_dir = %s takes effect at the next start; still in %s",
			    b->data_dir, c->data_dir);
	if (a->threads != b->threads || a->max_connections != b->max_connections)
		log_warning("threads and max_connections take effect at the next start");
	if (!c->tls != !*o->tls->cert)
		log_warning("[tls] takes effect at the next start; still %s TLS",
			    c->tls ? "with" : "without");
}

static bool same_store(const struct options *a, const struct options *b)
{
	const struct options_collector *x = a->collector, *y = b->collector;
	return x->max_host_files == y->max_host_files && x->segment_bytes == y->segment_bytes &&
	       x->seal_after_ns == y->seal_after_ns && x->min_free.value == y->min_free.value &&
	       x->min_free.is_percent == y->min_free.is_percent;
}

/* The last step, which cannot fail. */
static void adopt(struct collector *c, struct options *o, struct policy *policy)
{
	warn_fixed(c, o);
	rules_set(c->rules, o, policy);
	atomic_store(&c->intake.max_batch, o->collector->max_batch_bytes);
	atomic_store(&c->intake.keeps_s, rules_keeps_s(c->rules));
	budget_resize(c->intake.receiving, collector_receiving_bytes(o));
	budget_resize(c->intake.working, collector_working_bytes(o));
	if (!same_store(c->options, o)) {
		struct store_config config = collector_store_config(c, o);
		keeper_reconfigure(c->keeper, &config);
	}
	options_free(c->options);
	c->options = o;
}

/* Beyond loopback the listener that runs is what counts, not the one that is written now. */
static int check_running(const struct collector *c, const struct options *o, struct conf_error *err)
{
	if (c->on_loopback || o->collector->insecure || c->tls)
		return 0;
	(void)snprintf(err->text, sizeof(err->text),
		       "insecure = no: the listener on %s runs without TLS; that takes a "
		       "restart",
		       c->listen);
	return -EINVAL;
}

static int try_reload(struct collector *c, struct conf_error *err)
{
	struct options *o = NULL;
	struct policy *policy = NULL;
	int r = options_read(c->path, c->optional, &o, err);
	if (r == 0)
		r = options_check(o, err);
	if (r == 0)
		r = check_running(c, o, err);
	if (r == 0 && !(policy = policy_new(o->conf)))
		r = -ENOMEM;
	/* From here on each step takes effect by itself; options_check has tried them all. */
	if (r == 0 && c->tls && *o->tls->cert)
		r = tls_reload(c->tls, collector_tls_files(o), err);
	if (r >= 0) {
		struct auth_config auth = collector_auth_config(c, o);
		r = auth_reload(c->intake.auth, &auth, err);
	}
	if (r < 0) {
		policy_free(policy);
		options_free(o);
		return r;
	}
	adopt(c, o, policy);
	return 0;
}

void reload_options(struct collector *c)
{
	struct conf_error err = {"no memory"};
	notify_reloading();
	if (try_reload(c, &err) < 0)
		log_error("reload: %s; the old configuration goes on", err.text);
	else
		log_notice("reload: the configuration is read again");
	notify_ready();
}
