/* The agent's parts: see agent_inside.h. */
#include "agent/agent_inside.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/num.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define FAR_STOP_NS    NUM_SEC_NS /* the thread that may hang may take so long at a stop */
#define CADENCE_MIN_NS (5 * NUM_MS_NS)

/* The two batches hold a quarter of the memory limit in raw bytes; what they compress to, libraries
 * and the table of sources take the rest. */
enum { ARENA_SHARE = 4, ARENA_MAX = 16 * 1024 * 1024 };

/* Events pause for no more than half of what lines may wait for others. */
static int64_t cadence_ns(const struct setup *s)
{
	int64_t half_ns = s->collector->batch_delay_ns / 2;
	if (half_ns < CADENCE_MIN_NS)
		return CADENCE_MIN_NS;
	return half_ns < DISCOVER_CADENCE_NS ? half_ns : DISCOVER_CADENCE_NS;
}

struct discover_config parts_discover(const struct setup *s)
{
	return (struct discover_config){
		.inputs = s->inputs.items,
		.n_inputs = s->inputs.n,
		.cadence_ns = cadence_ns(s),
		.max_open_files = s->agent->max_open_files,
		.max_deleted = s->agent->max_deleted,
	};
}

/* The sources are walked once a second for it, not for each batch: there may be many. */
static void on_report(void *user, struct report *ret)
{
	struct agent *a = user;
	int64_t now_ns = clock_mono_ns();
	if (!a->reported_ns || now_ns - a->reported_ns >= NUM_SEC_NS) {
		status_report(&a->view, &a->report);
		a->reported_ns = now_ns;
	}
	*ret = a->report;
}

struct shipper_config parts_shipper(struct agent *a, const struct setup *setup)
{
	const struct collector_options *c = setup->collector;
	uint64_t arena = setup->agent->memory_limit / ARENA_SHARE;
	return (struct shipper_config){
		.uplink =
			{
				.urls = c->urls,
				.token_file = c->token_file,
				.ca_file = c->ca_file,
				.pin = c->pin,
				.client_cert = c->client_cert,
				.client_key = c->client_key,
				.host = a->setup.host, /* changes at a restart only */
				.machine = a->machine,
				.agent_uuid = registry_agent_uuid(a->registry),
				.collector_uuid =
					*c->uuid ? c->uuid : registry_collector_uuid(a->registry),
				.failover = c->failover,
				.timeout_ns = c->timeout_ns,
				.max_rate = c->max_rate,
				.report = on_report,
				.report_user = a,
			},
		.batch_bytes = c->batch_bytes,
		.batch_delay_ns = c->batch_delay_ns,
		.arena_bytes = arena > ARENA_MAX ? ARENA_MAX : arena,
		.ferry = a->far ? far_ferry(a->far) : NULL,
		.wanted = {setup->inputs.items, setup->inputs.n, WANTED_NEAR},
	};
}

void parts_keep_collector(struct agent *a, const struct setup *setup)
{
	const char *before = registry_collector_uuid(a->registry), *now = setup->collector->uuid;
	if (!*now || strcmp(before, now) == 0)
		return;
	if (*before)
		log_notice("this agent moves from collector %s to %s, as [collector] uuid says",
			   before, now);
	int r = registry_set_collector_uuid(a->registry, now);
	if (r < 0)
		log_warning("the collector's identity cannot be kept: %s", strerror(-r));
}

static bool is_remote_wanted(const struct inputs *in)
{
	for (size_t i = 0; i < in->n; i++)
		if (in->items[i].remote)
			return true;
	return false;
}

struct discover_config parts_far_discover(const struct setup *s)
{
	struct discover_config c = parts_discover(s);
	c.far = true;
	return c;
}

void parts_start_far(struct agent *a, const struct setup *setup)
{
	struct far_config c = {
		.discover = parts_far_discover(setup),
		.shipper = parts_shipper(a, setup),
		.state_dir = setup->agent->state_dir,
	};
	if (a->far || !is_remote_wanted(&setup->inputs))
		return;
	c.shipper.arena_bytes /= 2;
	int r = far_start(&c, &a->far);
	if (r < 0)
		log_error("files of inputs with remote = yes cannot be followed: %s", strerror(-r));
}

static int page_status(void *user, struct buf *out)
{
	struct agent *a = user;
	return status_json(&a->view, out);
}

static int page_metrics(void *user, struct buf *out)
{
	struct agent *a = user;
	return status_metrics(&a->view, out);
}

void parts_show(struct agent *a)
{
	a->view.host = a->setup.host;
	a->view.url = a->setup.collector->urls.items[0];
	a->view.table = a->table;
	a->view.registry = a->registry;
	a->view.discover = a->discover;
	a->view.journals = a->journals;
	a->view.shipper = a->shipper;
	a->view.inputs = &a->setup.inputs;
	a->view.far = a->far;
	a->view.max_deleted = a->setup.agent->max_deleted;
}

/* Logs are shipped also when nobody can ask for the status. */
static void start_listener(struct agent *a)
{
	const char *address = a->setup.agent->listen;
	if (!*address)
		return;
	int r = listener_new(address, page_status, page_metrics, a, &a->listener);
	if (r < 0)
		log_warning("cannot listen at %s: %s; going on without status and metrics", address,
			    strerror(-r));
}

int parts_make(struct agent *a)
{
	const char *state_dir = a->setup.agent->state_dir;
	a->table = source_table_new();
	if (!a->table) {
		log_error("there is no memory to begin with; the agent ends");
		return -ENOMEM;
	}
	int r = registry_open(state_dir, a->table, &a->registry);
	if (r < 0) {
		log_error("state_dir %s: %s", state_dir,
			  r == -EWOULDBLOCK ? "another agent uses it" : strerror(-r));
		return r;
	}
	r = machine_find(registry_agent_uuid(a->registry), a->machine);
	if (r < 0) {
		log_error("/etc/machine-id cannot be read: %s; the agent ends", strerror(-r));
		return r;
	}
	parts_keep_collector(a, &a->setup);
	struct discover_config dc = parts_discover(&a->setup);
	r = discover_new(&dc, a->table, a->registry, &a->discover);
	if (r < 0) {
		log_error("cannot watch files: %s", strerror(-r));
		return r;
	}
	r = journals_new(a->setup.inputs.items, a->setup.inputs.n, a->table, a->registry,
			 &a->journals);
	if (r < 0) {
		log_error("cannot prepare to read journals: %s", strerror(-r));
		return r;
	}
	parts_start_far(a, &a->setup);
	struct shipper_config sc = parts_shipper(a, &a->setup);
	r = shipper_new(&sc, a->table, a->registry, a->discover, a->journals, &a->shipper);
	if (r < 0) {
		log_error("cannot prepare the way to the collector: %s", strerror(-r));
		return r;
	}
	parts_show(a);
	start_listener(a);
	return 0;
}

void parts_free(struct agent *a)
{
	/* What a thread that hangs uses, until the process ends. */
	static __attribute__((used, unused)) struct setup left, *left_retired;
	listener_free(a->listener);
	shipper_free(a->shipper); /* with what is in flight of the far side's */
	journals_free(a->journals);
	discover_free(a->discover);
	registry_close(a->registry);
	source_table_free(a->table);
	if (far_stop(a->far, FAR_STOP_NS)) {
		setup_free(&a->setup);
		reload_free_retired(a);
	} else {
		left = a->setup;
		left_retired = a->retired;
	}
	if (a->signal_fd >= 0)
		(void)close(a->signal_fd);
}
