/* sandbox.c - what a netlist of unknown origin may not do.
 *
 * ngspice has commands that start a shell, write files and load code, and there are several ways to
 * hide one (aliases, variables, backquotes, several commands in a line, included files, code
 * models). The words of the commands are checked so that a harmless circuit with one of them is
 * told why it is refused; that nothing gets through is the kernel's doing: a filter of system calls
 * (man 2 seccomp) under which no program starts and no file is opened for writing.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "spice/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* AddressSanitizer reserves terabytes of addresses, and looks for leaks by ptrace. */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif

/* ---------------------------------------------------------------- words */

mho_err mho__sandbox_check(const char *line, mho_errinfo *ei) {
  static const char *const harmless[] = {
      "ac",        "alter",   "altermod",   "break",   "compose",  "continue", "cross",  "dc",
      "delete",    "deriv",   "destroy",    "display", "disto",    "dowhile",  "echo",   "else",
      "end",       "fft",     "foreach",    "fourier", "goto",     "if",       "label",  "let",
      "linearize", "listing", "meas",       "measure", "noise",    "op",       "option", "print",
      "psd",       "pz",      "remzerovec", "repeat",  "reset",    "resume",   "run",    "rusage",
      "save",      "sens",    "set",        "setplot", "setscale", "settype",  "shift",  "show",
      "showmod",   "spec",    "status",     "step",    "stop",     "tf",       "tran",   "trace",
      "unlet",     "unset",   "version",    "where",   "while"};
  size_t n = strcspn(line, " \t=");
  const char *hidden = strpbrk(line, "<>`;");

  if (hidden)
    return mho_fail(ei, MHO_EINVAL,
                    "'%c' in the command '%.80s' may write a file or start a program: --trust "
                    "carries it out (lt and gt compare)",
                    *hidden, line);

  for (int k = 0; k < MHO_COUNT(harmless); k++)
    if (strlen(harmless[k]) == n && !strncasecmp(line, harmless[k], n))
      return MHO_OK;
  return mho_fail(ei, MHO_EINVAL,
                  "the command '%.*s' may write a file or start a program: --trust carries it out",
                  (int)mho_min_size(n, 40), line);
}

/* ---------------------------------------------------------------- system calls */

#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define DENY  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
/* The next two statements for the call of this number; else past them. */
#define CALL(number)      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1)
#define DENY_CALL(number) CALL(number), DENY
/* An open whose argument number `at` has one of these flags is denied. */
#define WRITES (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)
#define DENY_WRITES(number, at)                                                                    \
  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 4),                                               \
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[at])),                 \
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, WRITES, 0, 1), DENY, ALLOW

static void filter_calls(void) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#ifdef __x86_64__
      /* calls of the other instruction set have other numbers */
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),
      DENY,
      DENY_WRITES(SYS_open, 1),
      DENY_CALL(SYS_creat),
      DENY_CALL(SYS_fork),
      DENY_CALL(SYS_vfork),
      DENY_CALL(SYS_unlink),
      DENY_CALL(SYS_rename),
      DENY_CALL(SYS_mkdir),
      DENY_CALL(SYS_rmdir),
      DENY_CALL(SYS_link),
      DENY_CALL(SYS_symlink),
      DENY_CALL(SYS_chmod),
#endif
      DENY_WRITES(SYS_openat, 2),
#ifdef SYS_openat2
      DENY_CALL(SYS_openat2),
#endif
      DENY_CALL(SYS_execve),
      DENY_CALL(SYS_execveat),
      DENY_CALL(SYS_unlinkat),
#ifdef SYS_renameat
      DENY_CALL(SYS_renameat),
#endif
      DENY_CALL(SYS_renameat2),
      DENY_CALL(SYS_mkdirat),
      DENY_CALL(SYS_linkat),
      DENY_CALL(SYS_symlinkat),
      DENY_CALL(SYS_fchmodat),
      DENY_CALL(SYS_truncate),
      DENY_CALL(SYS_socket),
#ifndef SANITIZED
      DENY_CALL(SYS_ptrace),
#endif
      DENY_CALL(SYS_kill),
      ALLOW,
  };
  struct sock_fprog program = {.len = MHO_COUNT(filter), .filter = filter};

  if (!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

void mho__sandbox_enter(void) {
#ifndef SANITIZED
  setrlimit(RLIMIT_AS, &(struct rlimit){MHO_SPICE_MEMORY, MHO_SPICE_MEMORY});
#endif
  filter_calls();
}
