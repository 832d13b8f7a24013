# Real servers that know passwords, each our own: configuration and data below
# a folder of the test, on loopback, ended by its process id. What the system
# has of them is not touched.
#
#	my $ldap = Slapd->new(dir => $dir, entries => $ldif);
#	$ldap->{port}; $ldap->{base}; $ldap->{admin}; $ldap->{secret}
#	my $nslcd = Nslcd->new(dir => $dir, ldap => $ldap);	# see Nslcd::alone
#	my $radius = Radius->new(dir => $dir, users => { name => 'password' });
#	$radius->{conf}			# for pam_radius_auth
#
# Each has pause, resume (SIGSTOP, SIGCONT), stop and start again.
package Backend;
use strict;
use warnings;

use File::Path qw(make_path);
use IO::Socket::INET;
use Msad;

sub program {
	my ($name) = @_;
	for (qw(/usr/sbin /usr/local/sbin /usr/libexec /usr/bin)) {
		return "$_/$name" if -x "$_/$name";
	}
	return;
}

sub module {
	my ($name) = @_;
	my ($path) = glob("/lib/*/security/$name /usr/lib/*/security/$name " .
	    "/lib/security/$name /usr/lib/security/$name");
	return defined $path && -e $path ? $path : undef;
}

sub listens {
	my ($port) = @_;
	return !!IO::Socket::INET->new(PeerAddr => '127.0.0.1',
	    PeerPort => $port, Timeout => 1);
}

sub run_in_background {
	my ($self, @cmd) = @_;
	my $pid = fork() // die "fork: $!";
	if ($pid == 0) {
		setpgrp(0, 0);
		open(STDIN, '<', '/dev/null');
		open(STDOUT, '>>', "$self->{home}/out");
		open(STDERR, '>>&', \*STDOUT);
		{ exec(@cmd); }
		POSIX::_exit(127);
	}
	$self->{pid} = $pid;
	wait_for { return -1 if waitpid($pid, POSIX::WNOHANG()) == $pid;
	    $self->ready } 20 or die "$cmd[0] does not start\n";
	die "$cmd[0] ended:\n" . slurp("$self->{home}/out") if !kill(0, $pid);
}

sub DESTROY { local $?; $_[0]->stop }

sub pause { kill('STOP', $_[0]->{pid}) }
sub resume { kill('CONT', $_[0]->{pid}) }

sub stop {
	my ($self) = @_;
	my $pid = delete $self->{pid} or return;
	kill('CONT', $pid);
	kill('TERM', $pid);
	wait_for { waitpid($pid, POSIX::WNOHANG()) == $pid } 5 or do {
		kill('KILL', $pid);
		waitpid($pid, 0);
	};
}

package Slapd;
use strict;
use warnings;
use File::Path qw(make_path);
use Msad;
our @ISA = ('Backend');

sub missing {
	return 'no slapd' unless Backend::program('slapd');
	return 'no LDAP schema' unless -e '/etc/ldap/schema/core.schema';
	return;
}

sub new {
	my ($class, %o) = @_;
	my $self = bless { %o, home => "$o{dir}/slapd", port => free_port(),
	    base => 'dc=example,dc=org', admin => 'cn=admin,dc=example,dc=org',
	    secret => 'admin-secret' }, $class;
	make_path("$self->{home}/db");
	my ($modules) = grep { -d } '/usr/lib/ldap', '/usr/lib/openldap';
	spew("$self->{home}/slapd.conf", join("\n",
	    (map { "include /etc/ldap/schema/$_.schema" }
	    qw(core cosine nis inetorgperson)),
	    "pidfile $self->{home}/pid", "modulepath $modules",
	    'moduleload back_mdb', 'database mdb', 'maxsize 16777216',
	    "suffix \"$self->{base}\"", "rootdn \"$self->{admin}\"",
	    "rootpw $self->{secret}", "directory $self->{home}/db",
	    'index objectClass,uid eq', ''), 0600);
	spew("$self->{home}/data.ldif", "dn: $self->{base}\nobjectClass: domain\n" .
	    "dc: example\n\n$self->{entries}", 0600);
	Msad::run("slapadd -f $self->{home}/slapd.conf -l $self->{home}/data.ldif " .
	    ">>$self->{home}/out 2>&1");
	$self->start;
	return $self;
}

sub ready { Backend::listens($_[0]->{port}) }

sub start {
	my ($self) = @_;
	$self->run_in_background(Backend::program('slapd'), '-d', '0', '-f',
	    "$self->{home}/slapd.conf", '-h', "ldap://127.0.0.1:$self->{port}");
}

package Nslcd;
use strict;
use warnings;
use File::Path qw(make_path);
use IO::Socket::UNIX;
use Msad;
our @ISA = ('Backend');

sub missing {
	return 'no nslcd' unless Backend::program('nslcd');
	return 'no pam_ldap' unless Backend::module('pam_ldap.so');
	return 'no /etc/nslcd.conf to put ours over' unless -e '/etc/nslcd.conf';
	return 'no mount name space' if Msad::quietly('unshare', '--mount', 'true');
	return;
}

# nslcd and pam_ldap have their paths compiled in. The test goes on in a mount
# name space of its own, where ours are in their place. To be called first.
sub alone {
	return if $ENV{MSAD_ALONE};
	local $ENV{MSAD_ALONE} = $$;
	exec('unshare', '--mount', $^X, $0, @ARGV);
}

sub new {
	my ($class, %o) = @_;
	my $self = bless { %o, home => "$o{dir}/nslcd" }, $class;
	die 'not alone' unless $ENV{MSAD_ALONE};
	make_path("$self->{home}/run");
	make_path('/run/nslcd') unless -d '/run/nslcd';
	spew("$self->{home}/conf", join("\n", 'threads 5', 'uid root', 'gid root',
	    "uri ldap://127.0.0.1:$o{ldap}{port}", "base $o{ldap}{base}",
	    'bind_timelimit 2', 'timelimit 2', 'reconnect_sleeptime 1',
	    'reconnect_retrytime 1', "log $self->{home}/log info", ''), 0600);
	Msad::run("mount --bind $self->{home}/conf /etc/nslcd.conf");
	Msad::run("mount --bind $self->{home}/run /run/nslcd");
	$self->start;
	return $self;
}

sub ready {
	return !!IO::Socket::UNIX->new(Peer => '/run/nslcd/socket');
}

sub start {
	my ($self) = @_;
	$self->run_in_background(Backend::program('nslcd'), '-n');
}

package Radius;
use strict;
use warnings;
use File::Path qw(make_path);
use Msad;
our @ISA = ('Backend');

sub missing {
	return 'no freeradius' unless Backend::program('freeradius') ||
	    Backend::program('radiusd');
	return 'no pam_radius_auth' unless Backend::module('pam_radius_auth.so');
	return;
}

sub new {
	my ($class, %o) = @_;
	my $self = bless { %o, home => "$o{dir}/radius", port => free_port() },
	    $class;
	my $h = $self->{home};
	make_path($h);
	my ($lib) = grep { -d } '/usr/lib/freeradius',
	    glob('/usr/lib/*/freeradius'), '/usr/local/lib';
	my $users = join('', map { "\"$_\" Cleartext-Password := \"" .
	    ($o{users}{$_} =~ s/(["\\])/\\$1/gr) . "\"\n" } sort keys %{ $o{users} });
	spew("$h/users", $users, 0600);
	spew("$h/radiusd.conf", <<"CONF", 0600);
prefix = /usr
localstatedir = $h
logdir = $h
raddbdir = $h
libdir = $lib
run_dir = $h
pidfile = $h/pid
log {
	destination = files
	file = $h/log
	auth = yes
}
security {
	reject_delay = 0
	status_server = no
}
client test {
	ipaddr = 127.0.0.1
	secret = shared-secret
}
thread pool {
	start_servers = 1
	max_servers = 4
}
modules {
	pap {
	}
	files {
	usersfile = $h/users
	}
}
server default {
	listen {
	type = auth
	ipaddr = 127.0.0.1
	port = $self->{port}
	}
	authorize {
		files
		pap
	}
	authenticate {
		Auth-Type PAP {
			pap
		}
	}
}
CONF
	$self->{conf} = "$h/client.conf";
	# server, secret, seconds for one try (the module makes 3 of less)
	spew($self->{conf}, "127.0.0.1:$self->{port} shared-secret 3\n", 0600);
	$self->start;
	return $self;
}

sub ready { slurp("$_[0]->{home}/log") =~ /Ready to process requests/ }

sub start {
	my ($self) = @_;
	spew("$self->{home}/log", '');
	$self->run_in_background(Backend::program('freeradius') //
	    Backend::program('radiusd'), '-f', '-d', $self->{home});
}

1;
