# A real Postfix of our own as next hop: its own configuration, queue and data
# below one folder of /var/tmp, loopback ports, SASL accounts in a sasldb, all
# mail into one Maildir. The Postfix of the system, if one runs, is not
# touched.
#
#	my $p = Postfix->new(dir => $d->{dir}, users => { relay => 'secret' });
#	$p->{port}{starttls}		# STARTTLS, SASL PLAIN and LOGIN
#	$p->{port}{tls}			# TLS from the start, both mechanisms
#	$p->{port}{login}, {tlslogin}	# the same, SASL LOGIN alone
#	$p->{port}{NAME}		# more => { NAME => kind }: see kinds below
#
# dir holds server.pem and server.key, as Msad.pm makes them.
package Postfix;
use strict;
use warnings;

use File::Path qw(make_path remove_tree);
use File::Temp qw(tempdir);
use Msad;

my $realm = 'next.example';
# Options of a listener beside main.cf.
my %kinds = (
	starttls => [],
	tls => ['smtpd_tls_wrappermode=yes'],
	login => ['smtpd_sasl_path=login'],
	tlslogin => ['smtpd_tls_wrappermode=yes', 'smtpd_sasl_path=login'],
	# no STARTTLS, AUTH is offered in the clear
	stripped => ['smtpd_tls_security_level=none'],
	# STARTTLS and AUTH, and else nothing beyond RFC 5321
	less => ['smtpd_discard_ehlo_keywords=' .
	    '8bitmime,smtputf8,chunking,dsn,size,pipelining,enhancedstatuscodes,etrn,vrfy'],
);

# Why it cannot run here, or nothing.
sub missing {
	for my $p (qw(postfix postconf saslpasswd2)) {
		return "no $p" unless grep { -x "$_/$p" } qw(/usr/sbin /usr/local/sbin);
	}
	return 'no user postfix' unless getpwnam('postfix');
	return 'no SASL mechanisms' unless glob('/usr/lib/*/sasl2/libplain.so');
	return 'no SASL database' unless glob('/usr/lib/*/sasl2/libsasldb.so');
	return;
}

sub new {
	my ($class, %o) = @_;
	my $self = bless { %o }, $class;
	$self->{home} = tempdir('msad-postfix.XXXXXX', DIR => '/var/tmp');
	chmod 0755, $self->{home};
	$self->{log} = "$self->{home}/log";
	$self->{listeners} = { (map { $_ => $_ } qw(starttls tls login tlslogin)),
	    %{ $self->{more} // {} } };
	$self->{port}{$_} = free_port() for keys %{ $self->{listeners} };
	make_path(map { "$self->{home}/$_" } qw(queue conf/sasl));
	$self->directory('data', 'postfix');
	$self->directory("box$_", 'nobody') for '', qw(/tmp /new /cur);
	$self->accounts;
	$self->main_cf;
	$self->master_cf;
	$self->start;
	return $self;
}

sub directory {
	my ($self, $name, $user) = @_;
	mkdir "$self->{home}/$name", 0700;
	chown((getpwnam($user))[2, 3], "$self->{home}/$name");
}

sub accounts {
	my ($self) = @_;
	my $db = "$self->{home}/sasldb";
	for my $user (sort keys %{ $self->{users} }) {
		open(my $p, '|-', 'saslpasswd2', '-p', '-c', '-f', $db,
		    '-u', $realm, $user) or die "saslpasswd2: $!";
		print $p $self->{users}{$user};
		close($p) or die 'saslpasswd2';
	}
	chown((getpwnam('postfix'))[2, 3], $db);
	for (['smtpd', 'plain login'], ['login', 'login']) {
		spew("$self->{home}/conf/sasl/$_->[0].conf", "pwcheck_method: auxprop\n" .
		    "auxprop_plugin: sasldb\nsasldb_path: $db\nmech_list: $_->[1]\n");
	}
}

# Everything is a mailbox here, but rejected@* (550 at RCPT) and later@* (450).
sub main_cf {
	my ($self) = @_;
	my $h = $self->{home};
	my ($uid, $gid) = (getpwnam('nobody'))[2, 3];
	spew("$h/conf/main.cf", <<"CF");
compatibility_level = 3.6
queue_directory = $h/queue
data_directory = $h/data
maillog_file = $h/log
maillog_file_prefixes = /var/tmp
myhostname = next.example
mydestination =
mynetworks =
inet_interfaces = loopback-only
inet_protocols = ipv4
alias_maps =
local_recipient_maps =
local_header_rewrite_clients =
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions =
    check_recipient_access regexp:{
        {/^rejected\@/ 550 5.1.1 no such person here},
        {/^later\@/ 450 4.2.1 mailbox busy}}
smtpd_tls_cert_file = $self->{dir}/server.pem
smtpd_tls_key_file = $self->{dir}/server.key
smtpd_tls_security_level = encrypt
smtpd_tls_received_header = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_local_domain = $realm
smtpd_sasl_path = smtpd
cyrus_sasl_config_path = $h/conf/sasl
virtual_mailbox_domains = static:all
virtual_mailbox_maps = static:box/
virtual_mailbox_base = $h
virtual_uid_maps = static:$uid
virtual_gid_maps = static:$gid
virtual_transport = virtual
message_size_limit = 100000000
virtual_mailbox_limit = 0
smtputf8_enable = yes
CF
}

sub master_cf {
	my ($self) = @_;
	my $text = '';
	for my $name (sort keys %{ $self->{listeners} }) {
		$text .= "127.0.0.1:$self->{port}{$name} inet n - n - - smtpd\n" .
		    join('', map { "    -o $_\n" } "syslog_name=$name",
		    @{ $kinds{ $self->{listeners}{$name} } });
	}
	for (['cleanup', 0], ['qmgr', 300, 'qmgr', 1], ['tlsmgr', 1000, 'tlsmgr', 1],
	    ['rewrite', '-', 'trivial-rewrite'], ['bounce', 0], ['defer', 0, 'bounce'],
	    ['trace', 0, 'bounce'], ['error', '-'], ['retry', '-', 'error'],
	    ['anvil', '-', 'anvil', 1], ['virtual', '-'], ['postlog', '-', 'postlogd', 1]) {
		my ($name, $n, $program, $max) = @$_;
		my $type = $name eq 'postlog' ? 'unix-dgram' : 'unix';
		my $wake = $name =~ /qmgr|tlsmgr/ ? $n . ($name eq 'tlsmgr' ? '?' : '') : '-';
		my $private = $name =~ /cleanup|qmgr|postlog/ ? 'n' : '-';
		my $unpriv = $name eq 'virtual' ? 'n' : '-';
		$text .= sprintf("%s %s %s %s n %s %s %s\n", $name, $type, $private,
		    $unpriv, $wake, $max // ($n eq '0' ? 0 : '-'), $program // $name);
	}
	spew("$self->{home}/conf/master.cf", $text);
}

sub start {
	my ($self) = @_;
	my $why = Msad::quietly('postfix', '-c', "$self->{home}/conf", 'start');
	die "$why\n" . $self->log if $why;
	$self->{up} = 1;
	wait_for {
		IO::Socket::INET->new(PeerHost => '127.0.0.1',
		    PeerPort => $self->{port}{starttls})
	} or die "no answer\n" . $self->log;
}

sub stop {
	my ($self) = @_;
	return unless delete $self->{up};
	Msad::quietly('postfix', '-c', "$self->{home}/conf", 'stop');
	remove_tree($self->{home}) unless $ENV{MSAD_KEEP};
}

sub log { my ($self) = @_; return slurp($self->{log}) }

# The lines about one listener.
sub log_of {
	my ($self, $name) = @_;
	return join('', grep { m{ \Q$name\E/smtpd\[} } split(/^/, $self->log));
}

# Mails in the Maildir with that Subject, each file read once.
sub mails {
	my ($self, $subject) = @_;
	my $new = "$self->{home}/box/new";
	opendir(my $d, $new) or die "$new: $!";
	for my $name (grep { !/^\./ && !$self->{seen}{$_}++ } readdir($d)) {
		my $m = slurp("$new/$name");
		my ($s) = $m =~ /^Subject: *(.*)$/m;
		push @{ $self->{box}{$s // ''} }, $m;
	}
	return @{ $self->{box}{$subject} // [] };
}

sub mails_wait {
	my ($self, $n, $subject, $deadline) = @_;
	wait_for { (() = $self->mails($subject)) >= $n } $deadline;
	return $self->mails($subject);
}

1;
