# What the measurements start beside msad: processes of their own, and Postfix as
# Debian configures it, in directories of its own. The Postfix of the system, if
# one runs, is not touched.
#
#	Peer::init($house);		# a Msad: its directory, certificate, PAM
#	my $p = Peer::postfix('stock', $sink, '');	# and lines of main.cf
package Peer;
use strict;
use warnings;

use Exporter 'import';
use POSIX qw(WNOHANG);

use Msad;

our @EXPORT = qw(spawn gone end tree saslauthd);
our $limit = 150;	# smtpd processes
our $out;		# the directory of what they write
my (@own, $house);

sub init {
	($house) = @_;
	$out = "$house->{dir}/bench";
	mkdir $out, 0755;
}

# --- processes ---

sub spawn {
	my ($name, @cmd) = @_;
	my $pid = fork() // die "fork: $!";
	if ($pid == 0) {
		setpgrp(0, 0);
		open(STDIN, '<', '/dev/null');
		open(STDOUT, '>', "$out/$name.out");
		open(STDERR, '>', "$out/$name.err");
		{ exec(@cmd); }
		POSIX::_exit(127);
	}
	own($pid);
	return $pid;
}

# It ends with us.
sub own {
	push @own, @_;
}

sub gone {
	my ($pid) = @_;
	return 1 if waitpid($pid, WNOHANG) == $pid;
	return (Msad::proc_stat($pid))[2] =~ /^[XZ]$/;
}

sub end {
	my ($pid) = @_;
	kill('TERM', $pid);
	&Msad::wait_for(sub { gone($pid) }, 20) or kill('KILL', $pid);
	waitpid($pid, WNOHANG);
	forget($pid);
}

# It has ended.
sub forget {
	my ($pid) = @_;
	@own = grep { $_ != $pid } @own;
}

sub stop_all {
	my @all = reverse @own;
	end($_) for @all;
}

# The processes at and below some.
sub tree {
	my (@roots) = @_;
	my (%kids, @all);
	opendir(my $d, '/proc') or die;
	for my $pid (grep { /^\d+$/ } readdir($d)) {
		push @{ $kids{(Msad::proc_stat($pid))[3]} }, $pid;
	}
	while (defined(my $pid = shift @roots)) {
		push @all, $pid;
		push @roots, @{ $kids{$pid} // [] };
	}
	return @all;
}

# --- Postfix, as Debian configures it, in directories of its own ---

my $master_cf = <<'END';
127.0.0.1:PORT inet n   -       n       -       LIMIT   smtpd
  -o smtpd_tls_wrappermode=yes
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
proxywrite unix -       -       n       -       1       proxymap
smtp      unix  -       -       n       -       -       smtp
relay     unix  -       -       n       -       -       smtp
showq     unix  n       -       n       -       -       showq
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
local     unix  -       n       n       -       -       local
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
END

sub postfix_files {
	my ($dir, $port, $sink, $more) = @_;
	mkdir "$dir/$_", 0755 for '', 'etc', 'spool', 'data', 'etc/sasl';
	$house->own("$dir/data", 'postfix');
	my $master = $master_cf;
	$master =~ s/PORT/$port/;
	$master =~ s/LIMIT/$limit/;
	Msad::spew("$dir/etc/master.cf", $master);
	Msad::spew("$dir/etc/sasl/smtpd.conf", "pwcheck_method: saslauthd\n" .
	    "mech_list: plain login\nsaslauthd_path: $out/saslauthd/mux\n");
	Msad::spew("$dir/etc/main.cf", <<"END");
compatibility_level = 3.6
queue_directory = $dir/spool
data_directory = $dir/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_protocols = ipv4
inet_interfaces = loopback-only
myhostname = mail.example.org
mydestination =
mynetworks =
alias_maps =
alias_database =
relayhost = [127.0.0.1]:$sink
smtpd_tls_cert_file = $house->{dir}/server.pem
smtpd_tls_key_file = $house->{dir}/server.key
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = cyrus
smtpd_sasl_path = smtpd
smtpd_sasl_service = $house->{service}
cyrus_sasl_config_path = $dir/etc/sasl
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_client_connection_count_limit = 0
$more
END
}

# A server: name, port, the processes to add up, whether its queue is empty.
sub postfix {
	my ($name, $sink, $more) = @_;
	my $dir = "$out/$name";
	my $port = Msad::free_port();
	postfix_files($dir, $port, $sink, $more);
	return start({ name => $name, port => $port, dir => $dir,
	    empty => sub { !grep { queue_files("$dir/spool/$_") }
		qw(incoming active deferred maildrop) } });
}

# Start it, again as the case may be.
sub start {
	my ($p) = @_;
	my ($name, $port, $dir) = @$p{qw(name port dir)};
	my $pid = spawn($name, 'postfix', '-c', "$dir/etc", 'start-fg');
	&Msad::wait_for(sub {
		my $c = Msad::Smtp->connect($port, 2) or return 0;
		$c->close;
		return 1;
	}) or die "Postfix does not start:\n" . Msad::slurp("$out/$name.err");
	my ($master) = Msad::slurp("$dir/spool/pid/master.pid") =~ /(\d+)/
	    or die 'no pid of master';
	push @own, $master if $master != $pid;
	$p->{master} = $master;
	$p->{roots} = [$master, saslauthd()];
	$p->{ready} = sub { gone($master) and die "$name has died" };
	return $p;
}

# All of it by kill -9, but saslauthd.
sub kill_all {
	my ($p) = @_;
	my @pids = grep { $_ != $$ } tree($p->{master});
	kill('KILL', @pids);
	&Msad::wait_for(sub { !grep { !gone($_) } @pids }) or die 'Postfix stays';
	forget($p->{master});
}

sub queue_files {
	my ($dir) = @_;
	opendir(my $d, $dir) or return 0;
	for my $f (grep { !/^\./ } readdir($d)) {
		return 1 if length($f) > 1 || queue_files("$dir/$f");
	}
	return 0;
}

# One for both instances; it answers the same PAM service as msad-pam.
my $saslauthd;
sub saslauthd {
	return $saslauthd if defined $saslauthd;
	mkdir "$out/saslauthd", 0755;
	system('/usr/sbin/saslauthd', '-a', 'pam', '-m', "$out/saslauthd") == 0
	    or die "saslauthd does not start\n";
	&Msad::wait_for(sub { -s "$out/saslauthd/saslauthd.pid" &&
	    -S "$out/saslauthd/mux" }) or die "saslauthd does not start\n";
	($saslauthd) = Msad::slurp("$out/saslauthd/saslauthd.pid") =~ /(\d+)/;
	push @own, $saslauthd;
	return $saslauthd;
}

1;
