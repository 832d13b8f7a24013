# The house that the integration tests live in: the real daemon as root, with
# its real users, sandbox and PAM, on free loopback ports and in a directory
# of its own, so that test files run side by side.
#
#	use lib 'regress/smtp'; use Msad;
#	my $d = Msad->new(relay => "...", ...);
#	my $c = $d->client(tls => 'starttls'); $c->login($d->account(0));
#
# Nothing sleeps to wait: wait_for() polls a condition up to a deadline.
package Msad;
use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter 'import';
use Fcntl qw(:flock);
use File::Basename qw(dirname basename);
use File::Path qw(make_path remove_tree);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use IO::Socket::SSL;
use JSON::PP;
use POSIX qw(:sys_wait_h);
use Test::More;
use Time::HiRes qw(time sleep);

use Msad::Smtp;
use Msad::NextHop;

our @EXPORT = qw(wait_for free_port slurp spew);
our $TOP = abs_path(dirname(__FILE__) . '/../..');
our $BUILD = abs_path($ENV{MSAD_BUILD} // "$TOP/build");
our $DEADLINE = $ENV{MSAD_DEADLINE} // 20;	# seconds, for any one event

my @daemons;
my $serial = 0;

$SIG{PIPE} = 'IGNORE';

sub slurp {
	my ($path) = @_;
	open(my $f, '<:raw', $path) or return '';
	local $/;
	return scalar(<$f>) // '';
}

sub spew {
	my ($path, $text, $mode) = @_;
	open(my $f, '>:raw', $path) or die "$path: $!";
	print $f $text;
	close($f) or die "$path: $!";
	chmod($mode, $path) if defined $mode;
}

# Poll until the block is true; its value, or false after the deadline.
sub wait_for(&;$$) {
	my ($cond, $deadline, $every) = @_;
	my $end = time + ($deadline // $DEADLINE);
	for (;;) {
		my $v = $cond->();
		return $v if $v;
		return $v if time > $end;
		select(undef, undef, undef, $every // 0.02);
	}
}

# A port that nothing listens on, below those the kernel gives to clients, and
# no other test file is given: a counter in a file goes round.
sub free_port {
	my ($lo, $hi) = (10240, 32000);
	open(my $f, '+>>', '/var/tmp/.msad-test.port') or die "port: $!";
	flock($f, LOCK_EX);
	seek($f, 0, 0);
	my ($p) = (<$f> // '') =~ /^(\d{1,5})$/ ? $1 : 0;
	for (1 .. 1000) {
		$p = $p < $lo || $p >= $hi ? $lo : $p + 1;
		IO::Socket::INET->new(Listen => 1, ReuseAddr => 1,
		    LocalAddr => '127.0.0.1', LocalPort => $p) or next;
		truncate($f, 0);
		print $f "$p\n";
		close($f);
		return $p;
	}
	die 'no free port';
}

sub run {
	my (@cmd) = @_;
	system(@cmd) == 0 or die "@cmd: exit $?";
}

# useradd and its like lock /etc/passwd and give up at once: one at a time.
sub with_lock(&) {
	my ($code) = @_;
	open(my $l, '>', '/var/tmp/.msad-test.lock') or die "lock: $!";
	flock($l, LOCK_EX);
	my @r = eval { $code->() };
	my $why = $@;
	close($l);
	die $why if $why;
	return @r;
}

sub quietly {
	my (@cmd) = @_;
	open(my $p, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', @cmd) or die;
	local $/;
	my $out = <$p>;
	close($p);
	return $? == 0 ? '' : "@cmd: $out";
}

# A user account for PAM; the password is in {password}.
sub account {
	my ($self, $n) = @_;
	my $u = $self->{users}[$n] //= do {
		my $name = sprintf('msadtest%d%c', $$ % 1000000, 97 + $n);
		my $password = sprintf('pw-%s-%06d', $name, rand(1e6));
		with_lock {
			my $why = quietly(qw(useradd -M -N -s /usr/sbin/nologin -d
			    /nonexistent), $name);
			die $why if $why && $why !~ /already exists/;
			open(my $p, '|-', 'chpasswd') or die;
			print $p "$name:$password\n";
			close($p) or die 'chpasswd';
		};
		{ name => $name, password => $password,
		    address => "$name\@example.org" };
	};
	return $u;
}

sub certificate {
	my ($self) = @_;
	my $dir = $self->{dir};
	my $log = ">>$dir/openssl.log 2>&1";
	my $ec = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes';
	for my $c (
	    "openssl req -x509 $ec -keyout ca.key -out ca.pem -days 2 -subj '/CN=msad test CA' -addext basicConstraints=critical,CA:TRUE",
	    "openssl req $ec -keyout server.key -out server.csr -subj '/CN=localhost'",
	) {
		run("cd $dir && $c $log");
	}
	spew("$dir/ext", "subjectAltName=DNS:localhost,DNS:mail.example.org," .
	    "DNS:smtp.next.example,IP:127.0.0.1\n");
	run("cd $dir && openssl x509 -req -in server.csr -CA ca.pem " .
	    "-CAkey ca.key -CAcreateserial -days 2 -extfile ext " .
	    "-out server.pem $log");
	chmod 0600, "$dir/server.key", "$dir/ca.key";
}

# Options:
#   relay    text of relay statements (default: Maildir relay "box")
#   match    text of match statements (default: own -> relay "box")
#   tables   further statements
#   maildir  1: make the Maildir (default when relay is not given)
#   start    0: do not start
#   auth_options  text within auth { }
sub new {
	my ($class, %o) = @_;
	plan(skip_all => 'needs root') if $> != 0;
	my $self = bless { %o, users => [] }, $class;
	$self->{dir} = tempdir('msad-test.XXXXXX', DIR => '/var/tmp',
	    CLEANUP => 0);
	chmod 0755, $self->{dir};
	$self->{id} = $$ . '-' . $serial++;
	$self->{service} = "msad-test-$self->{id}";
	if (grep { !defined getpwnam($_) } qw(_msadq _msadl)) {
		with_lock { my $why = quietly('sh', "$TOP/etc/users"); die $why if $why };
	}
	spew("/etc/pam.d/$self->{service}", slurp("$TOP/etc/pam.d/msad"), 0644);
	$self->{$_} //= free_port() for qw(port_starttls port_tls);
	$self->certificate;
	my $spool = $self->{spool} // "$self->{dir}/spool";
	$self->{spool} = $spool;
	mkdir $spool, 0700;
	$self->own($spool, '_msadq');
	$self->maildir("$self->{dir}/box");
	push @daemons, $self;
	$self->write_conf;
	$self->start if $self->{start} // 1;
	return $self;
}

sub own {
	my ($self, $path, $user) = @_;
	my (undef, undef, $uid, $gid) = getpwnam($user) or die "no user $user";
	chown($uid, $gid, $path) or die "chown $path: $!";
}

sub maildir {
	my ($self, $path) = @_;
	for ($path, map { "$path/$_" } qw(tmp new cur)) {
		mkdir $_, 0700;
		$self->own($_, '_msadr');
	}
	return $path;
}

sub conf_text {
	my ($self) = @_;
	my $d = $self->{dir};
	my $relay = $self->{relay} // '';
	my $match = $self->{match} // "match from auth sender own relay \"box\"\n";
	my $auth = $self->{auth_options} // "mech { plain, login }";
	my $level = $self->{level} // 'info';
	my $tables = $self->{tables} // '';
	my $extra = $self->{extra} // '';
	my $group = $self->{group} ? " group \"$self->{group}\"" : '';
	my $fw = $self->{frontend_workers} // 2;
	my $rw = $self->{relay_workers} // 1;
	return <<"CONF";
hostname "mail.example.org"
log level $level
frontend workers $fw
relay workers $rw
control socket "$d/msad.sock"$group
queue { path "$self->{spool}" }
pki "main" { cert "$d/server.pem" key "$d/server.key" }
auth "sys" { pam service "$self->{service}" $auth realm "example.org" }
$tables
relay "box" { maildir "$d/box" }
$relay
listen on { 127.0.0.1, ::1 } port $self->{port_starttls} starttls pki "main" auth "sys"
listen on { 127.0.0.1, ::1 } port $self->{port_tls} tls pki "main" auth "sys"
$extra
$match
CONF
}

sub write_conf {
	my ($self, $text) = @_;
	spew("$self->{dir}/msad.conf", $text // $self->conf_text, 0600);
}

sub start {
	my ($self) = @_;
	my $dir = $self->{dir};
	my $pid = fork() // die "fork: $!";
	if ($pid == 0) {
		setpgrp(0, 0);
		open(STDIN, '<', '/dev/null');
		open(STDOUT, '>>', "$dir/log");
		open(STDERR, '>>&', \*STDOUT);
		my $build = $self->{libexec} // $BUILD;
		{ exec("$BUILD/msad", '-d', '-f', "$dir/msad.conf", '-L', $build); }
		POSIX::_exit(127);
	}
	$self->{pid} = $pid;
	return 1 if $self->{no_wait};
	my $up = wait_for {
		return -1 if waitpid($pid, WNOHANG) == $pid;
		return 0 if $self->log !~ /event=started pid=$pid\b/;
		my $c = Msad::Smtp->connect($self->{port_starttls}, 2);
		my $ok = $c && $c->greeting(2);
		$c->close if $c;
		return $ok;
	} 30;
	if (!$up || $up == -1) {
		$self->{pid} = undef if $up && $up == -1;
		diag("msad does not start:\n" . $self->log);
		die "msad does not start\n";
	}
	return 1;
}

# SIGTERM, and the exit status as waitpid gives it; undef when it hangs.
sub stop {
	my ($self, $signal) = @_;
	my $pid = $self->{pid} or return 0;
	kill($signal // 'TERM', $pid);
	my $status;
	my $gone = wait_for {
		return 0 if waitpid($pid, WNOHANG) != $pid;
		$status = $?;
		return 1;
	} 45;
	if (!$gone) {
		kill('KILL', $pid);
		waitpid($pid, 0);
		$self->{pid} = undef;
		return undef;
	}
	$self->{pid} = undef;
	return $status;
}

sub reload { my ($self) = @_; kill('HUP', $self->{pid}) }

# kill -9 of every process of this daemon at one go.
sub kill_all {
	my ($self) = @_;
	my @pids = ($self->{pid}, map { $_->{pid} } $self->children);
	kill('KILL', @pids);
	waitpid($self->{pid}, 0);
	$self->{pid} = undef;
	# the children are init's now: wait until they are gone
	wait_for { !grep { -d "/proc/$_" && (proc_stat($_))[2] !~ /^[ZX]$/ }
	    @pids } or die 'killed processes stay';
}

sub proc_stat {
	my ($pid) = @_;
	my $s = slurp("/proc/$pid/stat");
	return ('', '', 'X', 0) unless $s =~ /^(\d+) \((.*)\) (\S) (\d+)/s;
	return ($1, $2, $3, $4);
}

# Processes below the daemon: { pid, name (of the program), ppid }.
sub children {
	my ($self) = @_;
	my (%kids, @all);
	opendir(my $d, '/proc') or die;
	for my $pid (grep { /^\d+$/ } readdir($d)) {
		my (undef, undef, $state, $ppid) = proc_stat($pid);
		next if $state =~ /^[ZX]$/;
		push @{ $kids{$ppid} }, $pid;
	}
	my @todo = @{ $kids{ $self->{pid} } // [] };
	while (defined(my $pid = shift @todo)) {
		my $exe = readlink("/proc/$pid/exe") // '';
		push @all, { pid => $pid, name => basename($exe),
		    ppid => (proc_stat($pid))[3] };
		push @todo, @{ $kids{$pid} // [] };
	}
	return @all;
}

sub child_named {
	my ($self, $name) = @_;
	my @c = grep { $_->{name} eq $name } $self->children;
	return wantarray ? @c : $c[0];
}

sub log { my ($self) = @_; return slurp("$self->{dir}/log") }

sub log_wait {
	my ($self, $re, $deadline) = @_;
	return wait_for { $self->log =~ $re } $deadline;
}

# A connected client: tls => none | starttls | tls; ehlo => 0 to stop before;
# local => address it comes from.
sub client {
	my ($self, %o) = @_;
	my $mode = $o{tls} // 'starttls';
	my $c = Msad::Smtp->connect($mode eq 'tls' ? $self->{port_tls} :
	    $self->{port_starttls}, $DEADLINE, $o{host}, $o{local})
	    or return undef;
	if ($mode eq 'tls') {
		$c->start_tls(%{ $o{ssl} // {} }, SSL_ca_file => "$self->{dir}/ca.pem")
		    or return undef;
	}
	$c->greeting;
	return $c if $mode eq 'none' || exists $o{ehlo} && !$o{ehlo};
	if ($mode eq 'starttls') {
		$c->cmd('EHLO client.example');
		$c->cmd('STARTTLS')->{code} == 220 or return undef;
		$c->start_tls(%{ $o{ssl} // {} }, SSL_ca_file => "$self->{dir}/ca.pem")
		    or return undef;
	}
	$c->cmd('EHLO client.example');
	return $c;
}

# A client that has logged in as user n.
sub session {
	my ($self, $n, %o) = @_;
	my $u = $self->account($n // 0);
	my $c = $self->client(%o) or return undef;
	my $r = $c->auth_plain($u->{name}, $u->{password});
	diag("login: $r->{text}") if $r->{code} != 235;
	return $c;
}

# msactl: exit status, output, and with -j the decoded lines.
sub msactl {
	my ($self, @args) = @_;
	my $out = "$self->{dir}/msactl.out.$$";
	my $program = "$BUILD/msactl";
	if ($self->{msactl_as}) {	# who may not reach the build
		$program = "$self->{dir}/msactl";
		spew($program, slurp("$BUILD/msactl"), 0755);
	}
	my $pid = fork() // die;
	if ($pid == 0) {
		open(STDIN, '<', '/dev/null');
		open(STDOUT, '>', $out);
		open(STDERR, '>', "$out.err");
		if (my $as = $self->{msactl_as}) {
			my (undef, undef, $uid, $gid) = getpwnam($as);
			$( = $) = "$gid $gid";
			POSIX::setgid($gid);
			POSIX::setuid($uid);
		}
		{ exec($program, '-s', "$self->{dir}/msad.sock", @args); }
		POSIX::_exit(127);
	}
	waitpid($pid, 0);
	my $status = $? >> 8;
	my $text = slurp($out);
	my $err = slurp("$out.err");
	my @json;
	if (grep { $_ eq '-j' } @args) {
		@json = map { eval { decode_json($_) } // { bad => $_ } }
		    grep { length } split(/\n/, $text);
	}
	return { status => $status, out => $text, err => $err, json => \@json };
}

# The queue: a list of decoded objects.
sub queue {
	my ($self) = @_;
	return @{ $self->msactl('-j', 'queue', 'list')->{json} };
}

# Contents of the messages in a Maildir's new.
sub mails {
	my ($self, $path) = @_;
	$path //= "$self->{dir}/box";
	my @m;
	opendir(my $d, "$path/new") or return @m;
	my @names = sort grep { !/^\./ } readdir($d);
	@m = map { slurp("$path/new/$_") } @names;
	return @m;
}

# Wait until n messages are there that match; those.
sub mails_wait {
	my ($self, $n, $re, $path) = @_;
	my @m;
	wait_for { @m = grep { !defined $re || $_ =~ $re } $self->mails($path);
	    @m >= $n };
	return @m;
}

sub nexthop {
	my ($self, %o) = @_;
	my $h = Msad::NextHop->new(dir => $self->{dir}, port => free_port(), %o);
	push @{ $self->{nexthops} }, $h;
	return $h;
}

sub finish {
	my ($self) = @_;
	$_->stop for @{ $self->{nexthops} // [] };
	my $status = $self->stop;
	unlink("/etc/pam.d/$self->{service}");
	with_lock {
		quietly('userdel', $_->{name}) for grep { $_ } @{ $self->{users} };
	};
	my $keep = $ENV{MSAD_LOGS} // "$BUILD/regress-log";
	make_path($keep);
	spew("$keep/" . basename($0) . ".$self->{id}.msad.log", $self->log);
	system('umount', '-q', $self->{spool}) if $self->{mounted};
	remove_tree($self->{dir}) unless $ENV{MSAD_KEEP};
	return $status;
}

# The last test of a file: stops, and the exit must be clean.
sub done {
	my ($self) = @_;
	my $running = $self->{pid};
	my $log = $self->log;
	my $status = $self->finish;
	is($status, 0, 'SIGTERM: a clean exit') if $running;
	unlike($log, qr/AddressSanitizer|runtime error:|event=ipc-violation/,
	    'no sanitizer report and no channel violation in the log');
	@daemons = grep { $_ != $self } @daemons;
}

my $main = $$;
END {
	if ($$ == $main) {
		my $status = $?;
		eval { $_->finish } for @daemons;
		$? = $status;
	}
}

$SIG{INT} = $SIG{TERM} = sub { exit 1 };

1;
