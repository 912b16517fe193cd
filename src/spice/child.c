/* child.c - a netlist of unknown origin, run by ngspice in a process of its own.
 *
 * Some circuits and commands crash the library, others never return, and what a netlist includes
 * from files is not checked before. The child is this program again, or another one of this
 * library, with one word as argument, spawned, not forked: the parent may run threads. Parent and
 * child talk through a socket: the netlist goes in, what ngspice prints comes out, and after it one
 * line of the child's own, without which the child has died.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mho/spice.h"
#include "spice/deck.h"
#include "spice/netlist_text.h"
#include "spice/sandbox.h"
#include "spice/session.h"

extern char **environ;

#define DONE "mho-child done\n"
/* It is followed by the line of the netlist (0: none) and a sentence. */
#define FAILED "mho-child failed "

static const char TRUSTED[] = "trusted"; /* argument of a child without a sandbox */

/* ---------------------------------------------------------------- the child */

static bool send_all(int fd, const char *p, size_t n) {
  while (n > 0) {
    ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR)
      continue;
    if (sent <= 0)
      return false;
    p += sent;
    n -= (size_t)sent;
  }
  return true;
}

static void pass_on(void *user, const char *line) {
  int fd = *(const int *)user;
  send_all(fd, line, strlen(line));
  send_all(fd, "\n", 1);
}

static bool begins(const char *line, const char *word) {
  return !strncasecmp(line, word, strlen(word));
}

/* Run the commands between .control and .endc, in order; "quit" ends them. The text is cut into
 * lines. */
static mho_err run_commands(mho_spice *s, char *text, bool trusted, mho_errinfo *ei) {
  bool control = false;
  char *save = NULL;

  for (char *p = strtok_r(text, "\r\n", &save); p; p = strtok_r(NULL, "\r\n", &save)) {
    const char *line = p + strspn(p, " \t");
    if (begins(line, ".control")) {
      control = true;
    } else if (begins(line, ".endc")) {
      control = false;
    } else if (control && *line && *line != '*') {
      if (begins(line, "quit") || begins(line, "exit"))
        break;
      mho_err err = trusted ? MHO_OK : mho__sandbox_check(line, ei);
      if (!err)
        err = mho__spice_any_command(s, line, ei);
      if (err)
        return err;
    }
  }
  return MHO_OK;
}

static mho_err serve(int fd, char *netlist, bool trusted, mho_errinfo *ei) {
  mho_spice *s;
  if (!trusted) /* before the library, which runs what its start-up files say */
    mho__sandbox_enter();
  mho_err err = mho_spice_open(&s, ei);
  if (err)
    return err;

  err = mho_spice_load(s, netlist, ei);
  mho__spice_listen(s, pass_on, &fd);
  if (!err)
    err = run_commands(s, netlist, trusted, ei);
  mho_spice_close(s);
  return err;
}

/* Read all that the parent sends. */
static mho_err receive(int fd, mho_spice_text *t, mho_errinfo *ei) {
  char piece[4096];
  ssize_t n;

  do {
    n = read(fd, piece, sizeof piece);
    if (n > 0)
      mho__spice_text_add(t, "%.*s", (int)n, piece);
  } while (n > 0);

  if (n < 0 || t->failed)
    return mho_fail(ei, MHO_EIO, "the child cannot read its netlist");
  return MHO_OK;
}

static void answer(int fd, mho_err err, const mho_errinfo *ei) {
  char line[MHO_MESSAGE_MAX + 64] = DONE;
  if (err)
    snprintf(line, sizeof line, FAILED "%d %d %s\n", (int)err, ei->line, ei->message);
  send_all(fd, line, strlen(line));
}

int mho_spice_child(int fd, const char *trust) {
  bool trusted = trust && !strcmp(trust, TRUSTED);
  mho_spice_text t = {0};
  mho_errinfo ei = {0};
  char nothing[1] = "";

  prctl(PR_SET_PDEATHSIG, SIGKILL); /* the child ends with its parent */
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});

  mho_err err = receive(fd, &t, &ei);
  if (!err)
    err = serve(fd, t.p ? t.p : nothing, trusted, &ei);
  answer(fd, err, &ei);
  mho_free(t.p);
  return err ? 1 : 0;
}

/* ---------------------------------------------------------------- the parent */

static mho_err spawn(const mho_spice_isolation *how, int fd, pid_t *child, mho_errinfo *ei) {
  char *program = (char *)(uintptr_t)how->program, word[] = MHO_SPICE_CHILD;
  char *argv[MHO_SPICE_WORDS + 4] = {program};
  int n = 1;
  if (how->n_words < 0 || how->n_words > MHO_SPICE_WORDS)
    return mho_fail(ei, MHO_EINVAL, "%d words for a program that runs netlists: at most %d",
                    how->n_words, MHO_SPICE_WORDS);

  for (int i = 0; i < how->n_words; i++)
    argv[n++] = (char *)(uintptr_t)how->words[i];
  argv[n++] = word;
  if (how->trusted)
    argv[n++] = (char *)(uintptr_t)TRUSTED;

  posix_spawn_file_actions_t actions;

  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fd, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", 1, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", 1, 0);

  int rc = posix_spawn(child, program, &actions, NULL, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  return rc ? mho_fail(ei, MHO_EIO, "cannot start %s: %s", program, strerror(rc)) : MHO_OK;
}

/* Read all that the child says, until it ends, the time is over or the caller wants to stop.
 * @return whether it ended. */
static bool listen_until(int fd, double end, const mho_context *ctx, mho_spice_text *t) {
  char piece[4096];
  for (;;) {
    double left = end - mho_seconds();
    if (left <= 0 || mho_stopped(ctx))
      return false;

    struct pollfd p = {fd, POLLIN, 0};
    int ready = poll(&p, 1, left > 0.2 ? 200 : (int)(1000 * left) + 1);
    if (ready < 0 && errno != EINTR)
      return true;
    if (ready <= 0)
      continue;

    ssize_t n = read(fd, piece, sizeof piece);
    if (n <= 0)
      return true;
    mho__spice_text_add(t, "%.*s", (int)n, piece);
  }
}

/* The child's own last line; NULL when it has died before. */
static char *last_word(char *text) {
  char *last = NULL, *p = text ? strstr(text, "mho-child ") : NULL;
  while (p) {
    last = p;
    p = strstr(p + 1, "mho-child ");
  }
  return last;
}

/* "mho-child failed ERR LINE SENTENCE", cut off the text. limit: what is said where memory
 * ended. */
static mho_err child_error(char *said, const char *limit, mho_errinfo *ei) {
  int err = MHO_ESPICE, line = 0, at = 0;
  const char *values = said + strlen(FAILED);

  sscanf(values, "%d %d %n", &err, &line, &at);
  said[strcspn(said, "\n")] = 0;
  const char *why = values + at;
  mho_fail_at(ei, (mho_err)err, NULL, line, "%s%s", why, strstr(why, "allocate") ? limit : "");
  *said = 0;
  return err > 0 && err < MHO_ERR_COUNT ? (mho_err)err : MHO_ESPICE;
}

/* Find out how a child ended; its own last line is cut off the text. */
static mho_err verdict(mho_spice_text *t, int status, bool trusted, mho_errinfo *ei) {
  const char *limit = trusted ? "" : "; it has 2 GiB of memory, and more with --trust";
  char *said = last_word(t->p);
  if (said && !strcmp(said, DONE)) {
    *said = 0;
    return MHO_OK;
  }

  if (said && !strncmp(said, FAILED, strlen(FAILED)))
    return child_error(said, limit, ei);
  if (WIFSIGNALED(status))
    return mho_fail(ei, MHO_ESPICE, "ngspice crashed on this netlist (%s)%s",
                    strsignal(WTERMSIG(status)), limit);
  return mho_fail(ei, MHO_ESPICE, "ngspice ended in the middle of this netlist (exit code %d)%s",
                  WEXITSTATUS(status), limit);
}

static int wait_for(pid_t child) {
  int status = 0;
  pid_t ended;
  do
    ended = waitpid(child, &status, 0);
  while (ended < 0 && errno == EINTR);
  return status;
}

/* Send the netlist, and collect what the child prints until it ends or is stopped. */
static mho_err talk(const mho_spice_isolation *how, int fd, pid_t child, const char *netlist,
                    mho_spice_text *t, mho_errinfo *ei) {
  double end = mho_seconds() + how->timeout_s;
  send_all(fd, netlist, strlen(netlist)); /* verdict() reports a child that dies meanwhile */
  shutdown(fd, SHUT_WR);
  bool ended = listen_until(fd, end, how->ctx, t);
  if (!ended)
    kill(child, SIGKILL);
  close(fd);

  int status = wait_for(child);

  if (t->failed)
    return mho_fail(ei, MHO_ENOMEM, "no memory for what ngspice printed");
  if (!ended && mho_stopped(how->ctx))
    return mho_fail(ei, MHO_EINTERRUPTED, "interrupted while ngspice ran this netlist");
  if (!ended)
    return mho_fail(ei, MHO_ESPICE, "ngspice did not finish this netlist in %g s and was stopped",
                    how->timeout_s);
  return verdict(t, status, how->trusted, ei);
}

mho_err mho_spice_isolated(const mho_spice_isolation *how, const char *netlist, char **out,
                           mho_errinfo *ei) {
  int pair[2];
  pid_t child;
  mho_spice_text t = {0};
  *out = NULL;

  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
    return mho_fail(ei, MHO_EIO, "no socket to a child process: %s", strerror(errno));

  mho_err err = spawn(how, pair[1], &child, ei);
  close(pair[1]);
  if (err) {
    close(pair[0]);
    return err;
  }

  err = talk(how, pair[0], child, netlist, &t, ei);
  if (err) {
    mho_free(t.p);
    return err;
  }
  if (!t.p)
    mho__spice_text_add(&t, "%s", "");
  *out = t.p;
  return t.p ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for what ngspice printed");
}
