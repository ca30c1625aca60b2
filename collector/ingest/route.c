/* The paths that the collector knows: see route.h. Called by request.c; the table names every route
 * there is. */
#include "collector/ingest/route.h"

#include "collector/ingest/batches.h"
#include "collector/ingest/health.h"
#include "collector/ingest/page.h"
#include "collector/ingest/session.h"
#include "collector/ingest/status.h"
#include "collector/ingest/streams.h"

static const struct route *const routes[] = {
	&batches_route, &session_route, &streams_route, &health_route,
	&ready_route,   &page_route,    &status_route,  NULL,
};

static bool method_fits(const struct route *route, const char *method)
{
	return strcmp(route->method, method) == 0 ||
	       (strcmp(route->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

const struct route *route_find(const char *method, const char *path, unsigned *ret_status,
			       const char **ret_allow)
{
	*ret_status = 404;
	for (const struct route *const *at = routes; *at; at++) {
		const struct route *route = *at;
		if (strcmp(route->path, path) != 0)
			continue;
		if (method_fits(route, method))
			return route;
		*ret_status = 405;
		*ret_allow = route->method;
	}
	return NULL;
}
