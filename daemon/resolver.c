/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/resolver.h"

#include "daemon/log.h"

struct Resolver {
	Loop *loop;
	LoopTimer *timer;
	Rdns *rdns;
	LoopFunction answered;
	void *userdata;
};

void resolver_check(const Resolver *resolver, Warnings *warnings)
{
	RdnsCounts counts;

	rdns_counts(resolver->rdns, &counts);
	if (counts.resolver_dead)
		warnings_raise(warnings, LOG_LEVEL_WARNING, "resolver", loop_wall_us(),
			"no name server answers; addresses are given Timeout at once until one "
			"does");
	else
		warnings_clear(warnings, "resolver", "name servers answer again");
}

void resolver_rearm(Resolver *resolver)
{
	loop_timer_set(resolver->timer, rdns_timeout(resolver->rdns, loop_now_ms()));
}

static void on_fd(void *userdata, int fd, unsigned events)
{
	Resolver *resolver = userdata;

	rdns_dispatch(resolver->rdns, fd,
		(events & LOOP_READ ? RDNS_READ : 0u) | (events & LOOP_WRITE ? RDNS_WRITE : 0u),
		loop_now_ms());
	resolver_rearm(resolver);
}

static void on_timer(void *userdata)
{
	Resolver *resolver = userdata;

	rdns_dispatch(resolver->rdns, -1, 0, loop_now_ms());
	resolver_rearm(resolver);
}

static void on_watch(void *userdata, int fd, unsigned events)
{
	Resolver *resolver = userdata;
	int r = loop_watch(resolver->loop, fd,
		(events & RDNS_READ ? LOOP_READ : 0u) | (events & RDNS_WRITE ? LOOP_WRITE : 0u),
		on_fd, resolver);

	/* The lookups on it end by their deadline. */
	if (r < 0)
		log_warning("resolver: %s", strerror(-r));
}

static void on_answered(void *userdata)
{
	Resolver *resolver = userdata;

	resolver->answered(resolver->userdata);
}

static RdnsOptions options_of(const Config *config)
{
	return (RdnsOptions){
		.enabled = config->dns.enabled,
		.servers = config->dns.servers,
		.timeout_ms = config->dns.timeout_ms,
		.tries = config->dns.tries,
		.max_in_flight = config->dns.max_in_flight,
		.cache_enabled = config->dns_cache.enabled,
		.cache_size = config->dns_cache.size,
		.cache_ttl_seconds = config->dns_cache.ttl_seconds,
	};
}

int resolver_new(Loop *loop, const Config *config, LoopFunction answered, void *userdata,
	Resolver **ret_resolver, Why *ret_why)
{
	_cleanup_(resolver_freep) Resolver *resolver = calloc(1, sizeof(*resolver));
	RdnsOptions options = options_of(config);
	RdnsCallbacks callbacks = {on_watch, on_answered, resolver};
	int r;

	if (!resolver)
		return -ENOMEM;
	resolver->loop = loop;
	resolver->answered = answered;
	resolver->userdata = userdata;
	r = loop_timer_new(loop, on_timer, resolver, &resolver->timer);
	if (!r)
		r = rdns_new(&options, &callbacks, &resolver->rdns, ret_why);
	if (r < 0)
		return r;
	*ret_resolver = TAKE(resolver);
	return 0;
}

void resolver_free(Resolver *resolver)
{
	if (!resolver)
		return;
	rdns_free(resolver->rdns);
	loop_timer_free(resolver->timer);
	free(resolver);
}

int resolver_reconfigure(Resolver *resolver, const Config *config, Why *ret_why)
{
	RdnsOptions options = options_of(config);
	int r = rdns_reconfigure(resolver->rdns, &options, ret_why);

	resolver_rearm(resolver);
	return r;
}

Rdns *resolver_rdns(const Resolver *resolver)
{
	return resolver->rdns;
}
