/*
 * The queue of logins before the workers of PAM, fair between services and
 * between the clients of one: see waiting.h.
 *
 * Runs in msad-auth, called by workers.c alone. Pure: no channel, no clock. A
 * client is an IPv4 address or an IPv6 network of 64 bits; that many logins of
 * one wait costs the others nothing. All costs are by what waits, which is
 * bounded, not by what is configured.
 */

#include <sys/types.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <arpa/inet.h>

#include <stdlib.h>
#include <string.h>

#include "msad/auth/waiting.h"

struct pam_client {
	RB_ENTRY(pam_client)	 node;
	TAILQ_ENTRY(pam_client)	 turn;
	uint8_t			 key[16];
	unsigned int		 njobs;
	TAILQ_HEAD(pam_job_list, pam_job) jobs;	/* never empty */
};

static int
client_cmp(const struct pam_client *a, const struct pam_client *b)
{
	return memcmp(a->key, b->key, sizeof(a->key));
}

static int
service_cmp(const struct pam_service *a, const struct pam_service *b)
{
	if (a->account != b->account)
		return a->account ? 1 : -1;
	return strcmp(a->name, b->name);
}

RB_HEAD(pam_services, pam_service);
RB_PROTOTYPE(pam_client_tree, pam_client, node, client_cmp)
RB_PROTOTYPE(pam_services, pam_service, node, service_cmp)
RB_GENERATE(pam_client_tree, pam_client, node, client_cmp)
RB_GENERATE(pam_services, pam_service, node, service_cmp)

static struct pam_services	 services = RB_INITIALIZER(&services);
static TAILQ_HEAD(, pam_service) turns = TAILQ_HEAD_INITIALIZER(turns);
static unsigned int		 nconfigured;
static unsigned int		 nwaiting;
/* For services that an old configuration had, and without any. */
static unsigned int		 other_limit = 16;

/* --- services --- */

/* One that is not configured goes with its last job. */
static void
service_tidy(struct pam_service *s)
{
	if (s->configured || s->refs > 0)
		return;
	RB_REMOVE(pam_services, &services, s);
	free(s->name);
	free(s);
}

static struct pam_service *
service_get(const char *name, bool account)
{
	struct pam_service	*s, key = { .name = (char *)(uintptr_t)name,
				    .account = account };

	if ((s = RB_FIND(pam_services, &services, &key)) != NULL)
		return s;
	if ((s = calloc(1, sizeof(*s))) == NULL)
		return NULL;
	if ((s->name = strdup(name)) == NULL) {
		free(s);
		return NULL;
	}
	s->account = account;
	s->limit = other_limit;
	RB_INIT(&s->clients);
	TAILQ_INIT(&s->turns);
	RB_INSERT(pam_services, &services, s);
	return s;
}

struct pam_service *
waiting_service(const char *name, bool account)
{
	struct pam_service	*s = service_get(name, account);

	if (s != NULL)
		s->refs++;
	return s;
}

void
waiting_release(struct pam_service *s)
{
	s->refs--;
	service_tidy(s);
}

/* The smallest of the limits that its blocks give it. */
static int
configure_one(const struct conf_auth *auth, bool account)
{
	struct pam_service	*s;

	if (auth->pam_service == NULL)
		return 0;
	if ((s = service_get(auth->pam_service, account)) == NULL)
		return -1;
	if (!s->configured)
		nconfigured++;
	s->configured = true;
	if (auth->pam_limit != 0 &&
	    (s->given == 0 || auth->pam_limit < s->given))
		s->given = auth->pam_limit;
	return 0;
}

int
waiting_configure(const struct conf *conf)
{
	unsigned int		 max = conf->pool.max;
	const struct conf_auth	*auth;
	struct pam_service	*s, *next;
	int			 ret = 0;

	RB_FOREACH(s, pam_services, &services) {
		s->configured = false;
		s->given = 0;
	}
	nconfigured = 0;
	TAILQ_FOREACH(auth, &conf->auths, entry)
		if (configure_one(auth, false) == -1)
			ret = -1;
	other_limit = nconfigured > 1 && max > 1 ? max / 2 : max;
	TAILQ_FOREACH(auth, &conf->auths, entry)
		if (auth->cache > 0 && configure_one(auth, true) == -1)
			ret = -1;
	RB_FOREACH_SAFE(s, pam_services, &services, next) {
		s->limit = s->given == 0 ? other_limit :
		    s->given < max ? s->given : max;
		service_tidy(s);
	}
	return ret;
}

/* --- clients --- */

static void
client_key(uint8_t key[16], const char *rhost)
{
	struct in6_addr	 v6;

	memset(key, 0, 16);
	if (inet_pton(AF_INET, rhost, key + 12) == 1) {
		memset(key + 10, 0xff, 2);
		return;
	}
	if (inet_pton(AF_INET6, rhost, &v6) != 1)
		return;
	memcpy(key, &v6, IN6_IS_ADDR_V4MAPPED(&v6) ? 16 : 8);
}

static struct pam_client *
client_of(struct pam_service *s, const char *rhost)
{
	struct pam_client	*c, key;

	client_key(key.key, rhost);
	if ((c = RB_FIND(pam_client_tree, &s->clients, &key)) != NULL)
		return c;
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return NULL;
	memcpy(c->key, key.key, sizeof(c->key));
	TAILQ_INIT(&c->jobs);
	RB_INSERT(pam_client_tree, &s->clients, c);
	TAILQ_INSERT_TAIL(&s->turns, c, turn);
	return c;
}

/* Count a job that was put into a client's queue. */
static void
count(struct pam_job *job, struct pam_client *c)
{
	job->client = c;
	c->njobs++;
	if (job->service->nwaiting++ == 0)
		TAILQ_INSERT_TAIL(&turns, job->service, turn);
	nwaiting++;
}

void
waiting_remove(struct pam_job *job)
{
	struct pam_service	*s = job->service;
	struct pam_client	*c = job->client;

	TAILQ_REMOVE(&c->jobs, job, entry);
	job->client = NULL;
	nwaiting--;
	if (--s->nwaiting == 0)
		TAILQ_REMOVE(&turns, s, turn);
	if (--c->njobs == 0) {
		TAILQ_REMOVE(&s->turns, c, turn);
		RB_REMOVE(pam_client_tree, &s->clients, c);
		free(c);
	}
}

/* --- more than may wait --- */

/*
 * The newest job of the client with most jobs of the service with most jobs;
 * NULL when that would be no fairer than to refuse a job of this service and
 * client.
 */
static struct pam_job *
victim(const struct pam_service *own, const struct pam_client *client)
{
	struct pam_service	*s, *most = NULL;
	struct pam_client	*c, *longest = NULL;

	TAILQ_FOREACH(s, &turns, turn)
		if (most == NULL || s->nwaiting > most->nwaiting)
			most = s;
	if (most == NULL || (most != own && own->nwaiting >= most->nwaiting))
		return NULL;
	TAILQ_FOREACH(c, &most->turns, turn)
		if (longest == NULL || c->njobs > longest->njobs)
			longest = c;
	if (longest == NULL || (most == own &&
	    client->njobs + 1 >= longest->njobs))
		return NULL;
	return TAILQ_LAST(&longest->jobs, pam_job_list);
}

struct pam_job *
waiting_add(struct pam_job *job, unsigned int max)
{
	struct pam_job		*goes = NULL;
	struct pam_client	*c;

	if ((c = client_of(job->service, job->rhost)) == NULL)
		return job;
	TAILQ_INSERT_TAIL(&c->jobs, job, entry);
	count(job, c);
	if (nwaiting <= max)
		return NULL;
	if ((goes = victim(job->service, c)) == NULL)
		goes = job;
	waiting_remove(goes);
	return goes;
}

int
waiting_again(struct pam_job *job)
{
	struct pam_service	*s = job->service;
	struct pam_client	*c;

	if ((c = client_of(s, job->rhost)) == NULL)
		return -1;
	TAILQ_INSERT_HEAD(&c->jobs, job, entry);
	count(job, c);
	TAILQ_REMOVE(&s->turns, c, turn);
	TAILQ_INSERT_HEAD(&s->turns, c, turn);
	return 0;
}

/* --- turns --- */

static bool
may_run(const struct pam_service *s, unsigned int idle)
{
	if (s->running >= s->limit)
		return false;
	return idle > 1 || nconfigured < 2 || s->running == 0;
}

struct pam_job *
waiting_next(unsigned int idle)
{
	struct pam_service	*s;
	struct pam_client	*c;
	struct pam_job		*job;

	TAILQ_FOREACH(s, &turns, turn)
		if (may_run(s, idle))
			break;
	if (s == NULL || idle == 0)
		return NULL;
	TAILQ_REMOVE(&turns, s, turn);
	TAILQ_INSERT_TAIL(&turns, s, turn);
	c = TAILQ_FIRST(&s->turns);
	TAILQ_REMOVE(&s->turns, c, turn);
	TAILQ_INSERT_TAIL(&s->turns, c, turn);
	job = TAILQ_FIRST(&c->jobs);
	s->running++;
	waiting_remove(job);
	return job;
}

void
waiting_ran(struct pam_service *s)
{
	s->running--;
}

bool
waiting_oldest(int64_t *since)
{
	const struct pam_service	*s;
	const struct pam_client		*c;
	const struct pam_job		*job;
	bool				 any = false;

	TAILQ_FOREACH(s, &turns, turn) {
		if (s->running >= s->limit)
			continue;
		TAILQ_FOREACH(c, &s->turns, turn) {
			job = TAILQ_FIRST(&c->jobs);
			if (any && job->since >= *since)
				continue;
			*since = job->since;
			any = true;
		}
	}
	return any;
}

struct pam_job *
waiting_late(int64_t before)
{
	struct pam_service	*s;
	struct pam_client	*c;
	struct pam_job		*job;

	TAILQ_FOREACH(s, &turns, turn)
		TAILQ_FOREACH(c, &s->turns, turn) {
			job = TAILQ_FIRST(&c->jobs);
			if (job->since >= before)
				continue;
			waiting_remove(job);
			return job;
		}
	return NULL;
}

struct pam_job *
waiting_any(void)
{
	return waiting_late(INT64_MAX);
}

unsigned int
waiting_count(void)
{
	return nwaiting;
}
