/* Reload: see agent_inside.h. All that can fail is prepared first, beside the old configuration;
 * the switch itself cannot. */
#include "agent/agent_inside.h"
#include "common/log.h"
#include "common/notify.h"

#include <stdlib.h>
#include <string.h>

void reload_free_retired(struct agent *a)
{
	for (size_t i = 0; i < a->n_retired; i++)
		setup_free(&a->retired[i]);
	free(a->retired);
	a->retired = NULL;
	a->n_retired = 0;
}

/* The far side may hold something of it until it has taken the new inputs. */
static void retire(struct agent *a, struct setup *old)
{
	struct setup *list = realloc(a->retired, (a->n_retired + 1) * sizeof(*list));
	if (!list)
		return; /* then it stays for ever */
	a->retired = list;
	list[a->n_retired++] = *old;
}

/* What a reload cannot change while the agent runs; it says so and keeps the old value. */
static void say_what_needs_a_restart(const struct setup *old, const struct setup *new)
{
	if (strcmp(old->host, new->host) != 0 ||
	    strcmp(old->agent->state_dir, new->agent->state_dir) != 0 ||
	    strcmp(old->agent->listen, new->agent->listen) != 0 ||
	    old->agent->memory_limit != new->agent->memory_limit)
		log_warning("host, state_dir, listen and memory_limit change at a "
			    "restart only");
}

static int switch_setup(struct agent *a, struct setup *new)
{
	struct discover_config dc = parts_discover(new);
	struct shipper_config sc = parts_shipper(a, new);
	struct uplink *uplink;
	int r = shipper_prepare(a->shipper, &sc, &uplink);
	if (r < 0)
		return r;
	r = journals_prepare(a->journals, new->inputs.items, new->inputs.n);
	if (r == 0)
		r = discover_reload(a->discover, &dc);
	if (r < 0) {
		uplink_free(uplink);
		return r;
	}
	journals_switch(a->journals);
	shipper_switch(a->shipper, &sc, uplink);
	parts_keep_collector(a, new);
	say_what_needs_a_restart(&a->setup, new);
	char *unused = new->host;
	new->host = a->setup.host;
	a->setup.host = unused;
	struct setup old = a->setup;
	a->setup = *new;
	dc = parts_far_discover(&a->setup);
	if (a->far) {
		far_reload(a->far, &dc);
		retire(a, &old);
	} else {
		setup_free(&old);
		parts_start_far(a, &a->setup);
		shipper_set_ferry(a->shipper, a->far ? far_ferry(a->far) : NULL);
	}
	parts_show(a);
	return 0;
}

void reload_say_what_is_left_out(const struct setup *s)
{
	if (s->inputs.no_journal)
		log_info("the journal is not followed: %s", s->inputs.no_journal);
}

void reload_setup(struct agent *a)
{
	struct setup new;
	struct conf_error err;
	notify_reloading();
	int r = setup_read(a->file, &new, &err);
	if (r < 0) {
		log_error("%s; the old configuration goes on", err.text);
	} else if ((r = switch_setup(a, &new)) < 0) {
		log_error("cannot reload: %s; the old configuration goes on", strerror(-r));
		setup_free(&new);
	} else {
		log_info("configuration reloaded");
		reload_say_what_is_left_out(&a->setup);
	}
	notify_ready();
}
