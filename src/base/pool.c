/* pool.c - one pool of worker threads for the whole process.
 *
 * A region is a counter of tasks that the workers and the caller take from. Workers spin for a
 * short while after a region before they sleep, because a settle opens thousands of short regions
 * in a row.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/base.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/* About 20 us: longer than the gap between two regions, shorter than a time slice. */
enum { SPINS = 4000 };

struct mho_pool {
  int threads;
  pthread_t *worker;
  struct start {
    mho_pool *pool;
    int index;
  } * start;
  pthread_mutex_t lock;
  pthread_cond_t wake, idle;
  atomic_uint region; /* counts regions; workers wait for it to change */
  atomic_int next, busy;
  atomic_bool quit;
  int n;
  mho_task task;
  void *arg;
};

static void work(mho_pool *p, int thread) {
  for (;;) {
    int i = atomic_fetch_add(&p->next, 1);
    if (i >= p->n)
      return;
    p->task(p->arg, i, thread);
  }
}

static void pause_cpu(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/* Spin, then sleep, until another region than `seen` begins. */
static void wait_for_region(mho_pool *p, unsigned seen) {
  for (int spin = 0; spin < SPINS; spin++) {
    if (atomic_load(&p->region) != seen)
      return;
    pause_cpu();
  }

  pthread_mutex_lock(&p->lock);
  while (atomic_load(&p->region) == seen)
    pthread_cond_wait(&p->wake, &p->lock);
  pthread_mutex_unlock(&p->lock);
}

/* Spin, then sleep, until no worker has a task any more. */
static void wait_for_workers(mho_pool *p) {
  for (int spin = 0; spin < SPINS; spin++) {
    if (atomic_load(&p->busy) == 0)
      break;
    pause_cpu();
  }

  pthread_mutex_lock(&p->lock);
  while (atomic_load(&p->busy) > 0)
    pthread_cond_wait(&p->idle, &p->lock);
  pthread_mutex_unlock(&p->lock);
}

static void *worker_main(void *arg) {
  struct start *s = arg;
  mho_pool *p = s->pool;

  unsigned seen = 0;
  for (;;) {
    wait_for_region(p, seen);
    seen = atomic_load(&p->region);
    if (atomic_load(&p->quit))
      return NULL;

    work(p, s->index);
    if (atomic_fetch_sub(&p->busy, 1) == 1) {
      pthread_mutex_lock(&p->lock);
      pthread_cond_signal(&p->idle);
      pthread_mutex_unlock(&p->lock);
    }
  }
}

static void open_region(mho_pool *p) {
  pthread_mutex_lock(&p->lock);
  atomic_store(&p->next, 0);
  atomic_store(&p->busy, p->threads - 1);
  atomic_fetch_add(&p->region, 1);
  pthread_cond_broadcast(&p->wake);
  pthread_mutex_unlock(&p->lock);
}

int mho_processors(void) {
  cpu_set_t set; /* of 1024 processors: of a larger machine all are taken to be ours */
  if (!sched_getaffinity(0, sizeof set, &set))
    return CPU_COUNT(&set);
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online < 1 ? 1 : (int)online;
}

mho_err mho_pool_new(int threads, mho_pool **out, mho_errinfo *ei) {
  *out = NULL;
  if (threads < 0 || threads > 1024)
    return mho_fail(ei, MHO_EINVAL, "%d threads: expected 0 (one per processor) to 1024", threads);
  if (threads == 0)
    threads = mho_processors();

  mho_pool *p = mho_alloc(1, sizeof *p);
  if (!p)
    return mho_fail(ei, MHO_ENOMEM, "no memory for %d threads", threads);

  pthread_mutex_init(&p->lock, NULL);
  pthread_cond_init(&p->wake, NULL);
  pthread_cond_init(&p->idle, NULL);

  p->threads = 1; /* grows as workers start, so that mho_pool_free joins only those */
  p->worker = mho_alloc((size_t)threads, sizeof *p->worker);
  p->start = mho_alloc((size_t)threads, sizeof *p->start);
  if (!p->worker || !p->start) {
    mho_pool_free(p);
    return mho_fail(ei, MHO_ENOMEM, "no memory for %d threads", threads);
  }

  for (int i = 1; i < threads; i++) {
    p->start[i] = (struct start){p, i};
    int rc = pthread_create(&p->worker[i], NULL, worker_main, &p->start[i]);
    if (rc) {
      mho_pool_free(p);
      return mho_fail(ei, MHO_ENOMEM, "cannot start thread %d of %d: %s", i + 1, threads,
                      strerror(rc));
    }
    p->threads++;
  }

  *out = p;
  return MHO_OK;
}

void mho_pool_free(mho_pool *p) {
  if (!p)
    return;

  atomic_store(&p->quit, true);
  open_region(p);
  for (int i = 1; i < p->threads; i++)
    pthread_join(p->worker[i], NULL);

  pthread_mutex_destroy(&p->lock);
  pthread_cond_destroy(&p->wake);
  pthread_cond_destroy(&p->idle);
  mho_free(p->worker);
  mho_free(p->start);
  mho_free(p);
}

int mho_pool_threads(const mho_pool *p) {
  return p ? p->threads : 1;
}

void mho_pool_run(mho_pool *p, int n, mho_task task, void *arg) {
  if (!p || p->threads == 1 || n <= 1) {
    for (int i = 0; i < n; i++)
      task(arg, i, 0);
    return;
  }

  p->n = n;
  p->task = task;
  p->arg = arg;
  open_region(p);
  work(p, 0);
  wait_for_workers(p);
}
