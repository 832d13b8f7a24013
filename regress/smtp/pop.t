#!/usr/bin/perl
# POP before SMTP: an address stands for a user for a time ("msactl grant"), at
# listeners with "grants allow" alone; what stays as it was, and how it ends.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Test::More;

my ($plain_port, $other_port) = (Msad::free_port(), Msad::free_port());
my $d = Msad->new(start => 0, extra => "limit session { idle-time 60s }\n");
my ($u, $v) = ($d->account(0), $d->account(1));
# Three listeners: one that allows grants by STARTTLS, one by TLS, one not.
my $text = $d->conf_text;
$text =~ s/^(listen on \{ 127\.0\.0\.1, ::1 \} port $d->{port_starttls} .*)$/$1 grants allow/m;
$text =~ s/^(listen on \{ 127\.0\.0\.1, ::1 \} port $d->{port_tls} .*)$/$1 grants allow/m;
$text .= "listen on 127.0.0.1 port $other_port tls pki \"main\" auth \"sys\"\n";
$d->write_conf($text);
$d->start;

sub on_port {
	my ($port, $from) = @_;
	my $c = Msad::Smtp->connect($port, 20, undef, $from) or return undef;
	$c->start_tls(SSL_ca_file => "$d->{dir}/ca.pem");
	$c->greeting;
	$c->cmd('EHLO old.device');
	return $c;
}

sub message {
	my ($c, $from, $text) = @_;
	my $r = $c->cmd("MAIL FROM:<$from>");
	return "$r->{code} $r->{enh}" if $r->{code} != 250;
	$r = $c->cmd('RCPT TO:<bob@example.net>');
	return "rcpt $r->{code}" if $r->{code} != 250;
	$c->cmd('DATA');
	$c->send("From: <$from>\r\nSubject: x\r\n\r\n$text\r\n.\r\n");
	$r = $c->reply;
	return "$r->{code} $r->{enh}";
}

# Wait until the front-end has heard: it is not long, but not at once.
sub granted {
	my ($c, $from) = @_;
	my $r;
	wait_for { $r = $c->cmd("MAIL FROM:<$from>"); $r->{code} != 530 } 3;
	$c->cmd('RSET');
	return $r->{code};
}

is($d->msactl('show', 'grants')->{out}, '', 'no grants at first');
my $c = $d->client(tls => 'tls', local => '127.0.0.20');
is($c->cmd("MAIL FROM:<$u->{address}>")->{code}, 530, 'no grant: 530');
$c->quit;

is($d->msactl('grant', '127.0.0.20', 'as', $u->{name}, 'for', '10m')->{status}, 0,
    'msactl grant');
my $g = $d->msactl('-j', 'show', 'grants')->{json}[0];
is_deeply([ @{$g}{qw(address user block sessions)} ],
    [ '127.0.0.20', $u->{name}, 'sys', 0 ], 'show grants');
ok($g->{seconds} > 590 && $g->{seconds} <= 600, 'time left');
ok($d->log =~ /event=control-grant uid=0 address="?127\.0\.0\.20"? user="?\Q$u->{name}\E"? auth="sys" seconds=600/,
    'the log says who granted');

subtest 'by implicit TLS' => sub {
	my $c = $d->client(tls => 'tls', local => '127.0.0.20');
	is(granted($c, $u->{address}), 250, 'MAIL without AUTH');
	is(message($c, $u->{address}, 'by-address'), '250 2.0.0', 'a message');
	my ($m) = $d->mails_wait(1, qr/^by-address/m);
	ok($m, 'which arrives');
	like($m // '', qr/^\twith ESMTPS id /m,
	    'R3848-1-a without A: no login was proved');
	is(message($c, 'root@example.org', 'forged'), '550 5.7.1',
	    'as this user alone');
	my ($row) = @{ $d->msactl('-j', 'show', 'users')->{json} };
	is_deeply([ @{$row}{qw(user mechanism proof client)} ],
	    [ $u->{name}, 'ADDRESS', 'address', '127.0.0.20' ], 'show users');
	is($d->msactl('-j', 'show', 'grants')->{json}[0]{sessions}, 1,
	    'and its session is counted');
	ok($d->log =~ /event=accepted user="\Q$u->{name}\E".* mech="ADDRESS" proof=address/,
	    'the log of the message says how');
	$c->quit;
	ok(wait_for { !@{ $d->msactl('-j', 'show', 'users')->{json} } },
	    'QUIT ends it');
	is($d->msactl('-j', 'show', 'grants')->{json}[0]{sessions}, 0,
	    'and its session');
};

subtest 'by STARTTLS' => sub {
	my $c = $d->client(tls => 'none', local => '127.0.0.20');
	$c->cmd('EHLO old.device');
	ok($d->log_wait(qr/event=auth result=address .*client=127\.0\.0\.20(?s:.*)event=auth result=address/),
	    'the front-end was told');
	my $r = $c->cmd("MAIL FROM:<$u->{address}>");
	is("$r->{code} $r->{enh}", '530 5.7.0', 'TLS is still needed');
	like($r->{text}, qr/STARTTLS/, 'as the reply says');
	is($c->cmd('STARTTLS')->{code}, 220, 'STARTTLS');
	$c->start_tls(SSL_ca_file => "$d->{dir}/ca.pem");
	$c->cmd('EHLO old.device');
	is(message($c, $u->{address}, 'by-starttls'), '250 2.0.0', 'then MAIL');
	$c->quit;
};

subtest 'not elsewhere' => sub {
	my $c = on_port($other_port, '127.0.0.20');
	is($c->cmd("MAIL FROM:<$u->{address}>")->{code}, 530,
	    'a listener without "grants allow"');
	$c->quit;
	$c = $d->client(tls => 'tls', local => '127.0.0.21');
	is($c->cmd("MAIL FROM:<$u->{address}>")->{code}, 530,
	    'another address of the network');
	$c->quit;
	is($d->msactl('grant', '127.0.0.21', 'as', 'x', 'block', 'nosuch', 'for',
	    '1m')->{status}, 1, 'no such block');
	is($d->msactl('grant', '127.0.0.0/24', 'as', 'x', 'for', '1m')->{status},
	    1, 'a network is no address');
	is($d->msactl('grant', '127.0.0.21', 'as', 'x', 'for', '25h')->{status},
	    1, 'a day at most');
};

subtest 'AUTH over it' => sub {
	my $c = $d->client(tls => 'tls', local => '127.0.0.20');
	is(granted($c, $u->{address}), 250, 'by address');
	like($c->cmd('EHLO old.device')->{text}, qr/^250-AUTH .*PLAIN/m,
	    'EHLO still lists AUTH');
	is($c->auth_plain($v->{name}, $v->{password})->{code}, 235,
	    'another user logs in');
	is(message($c, $u->{address}, 'x'), '550 5.7.1',
	    'the address counts no more');
	is(message($c, $v->{address}, 'by-password'), '250 2.0.0',
	    'the password does');
	is($c->auth_plain($u->{name}, $u->{password})->{code}, 503,
	    'and once, as ever');
	$c->quit;
	$c = $d->client(tls => 'tls', local => '127.0.0.20');
	is(granted($c, $u->{address}), 250, 'by address');
	is($c->auth_plain($v->{name}, 'wrong')->{code}, 535, 'a wrong password');
	is($c->cmd("MAIL FROM:<$u->{address}>")->{code}, 530,
	    'leaves nobody logged in');
	is($c->auth_plain($u->{name}, $u->{password})->{code}, 235,
	    'until it is right');
	$c->quit;
	# pipelined before anything was heard of the address
	for (1 .. 20) {
		$c = $d->client(tls => 'tls', local => '127.0.0.20', ehlo => 0);
		$c->send("EHLO x\r\n");
		$c->reply;
		if ($c->auth_plain($v->{name}, $v->{password})->{code} != 235 ||
		    $c->cmd("MAIL FROM:<$v->{address}>")->{code} != 250) {
			fail("AUTH at once, round $_");
		}
		$c->close;
	}
	pass('AUTH at once is never lost to the address');
};

subtest 'the end of a grant' => sub {
	my $c = $d->client(tls => 'tls', local => '127.0.0.20');
	is(granted($c, $u->{address}), 250, 'logged in');
	my $open = $d->client(tls => 'tls', local => '127.0.0.20');
	is(granted($open, $u->{address}), 250, 'twice');
	is($open->cmd("MAIL FROM:<$u->{address}>")->{code}, 250, 'MAIL');
	is($d->msactl('grant', 'remove', '127.0.0.20')->{out},
	    "1 grant taken back\n", 'grant remove');
	is($c->cmd("MAIL FROM:<$u->{address}>")->{code}, 530, 'then 530');
	is($open->cmd('RCPT TO:<bob@example.net>')->{code}, 530,
	    'in a transaction, too');
	is($c->auth_plain($u->{name}, $u->{password})->{code}, 235,
	    'a password still works');
	$_->quit for $c, $open;
	is($d->msactl('grant', 'remove', '127.0.0.20')->{status}, 5,
	    'there is none now');
	ok($d->log =~ /event=control-grant-remove uid=0 address="?127\.0\.0\.20"? grants=1/,
	    'logged');
	# by time
	$d->msactl('grant', '127.0.0.22', 'as', $u->{name}, 'for', '2s');
	$c = $d->client(tls => 'tls', local => '127.0.0.22');
	is(granted($c, $u->{address}), 250, 'for two seconds');
	ok($d->log_wait(qr/event=auth-address-ended .*client="127\.0\.0\.22"/, 6),
	    'which end');
	is($c->cmd("MAIL FROM:<$u->{address}>")->{code}, 530, 'then 530');
	$c->quit;
	is($d->msactl('show', 'grants')->{out}, '', 'and it is gone');
	# somebody else from now on
	$d->msactl('grant', '127.0.0.23', 'as', $u->{name}, 'for', '1m');
	$c = $d->client(tls => 'tls', local => '127.0.0.23');
	is(granted($c, $u->{address}), 250, 'as one');
	$d->msactl('grant', '127.0.0.23', 'as', $v->{name}, 'for', '1m');
	is($c->cmd("MAIL FROM:<$u->{address}>")->{code}, 530,
	    'who is no longer it');
	$c->quit;
	$c = $d->client(tls => 'tls', local => '127.0.0.23');
	is(granted($c, $v->{address}), 250, 'but another');
	$c->quit;
};

subtest 'IPv6 by all its bits' => sub {
	$d->msactl('grant', '::1', 'as', $u->{name}, 'for', '1m');
	my $c = $d->client(tls => 'tls', host => '::1');
	plan(skip_all => 'no IPv6 here') unless $c;
	is(granted($c, $u->{address}), 250, '::1');
	$c->quit;
	$d->msactl('grant', 'remove', '::1');
	$d->msactl('grant', '::2', 'as', $u->{name}, 'for', '1m');
	$c = $d->client(tls => 'tls', host => '::1');
	is($c->cmd("MAIL FROM:<$u->{address}>")->{code}, 530,
	    'its neighbour in the /64 is somebody else');
	$c->quit;
	$d->msactl('grant', '::ffff:127.0.0.24', 'as', $u->{name}, 'for', '1m');
	$c = $d->client(tls => 'tls', local => '127.0.0.24');
	is(granted($c, $u->{address}), 250, 'IPv4 written in IPv6 is IPv4');
	$c->quit;
};

subtest 'a ban is stronger' => sub {
	$d->msactl('grant', '127.0.0.25', 'as', $u->{name}, 'for', '1m');
	$d->msactl('ban', '127.0.0.25', 'for', '1m');
	my $c = Msad::Smtp->connect($d->{port_tls}, 20, undef, '127.0.0.25');
	$c->start_tls(SSL_ca_file => "$d->{dir}/ca.pem");
	my $r = $c->reply;
	$r = $c->reply if $r->{code} == 220;	# the greeting was quicker
	is($r->{code}, 421, 'a banned address is not served');
	$r = $d->msactl('-j', 'test', 'session', '127.0.0.25', $u->{name},
	    $u->{address}, 'b@example.net');
	is($r->{json}[0]{granted}, $u->{name}, 'test session names the grant');
	$d->msactl('unban', 'all');
};

subtest 'match except address' => sub {
	my $t = $text;
	$t =~ s/^match from auth sender own/match from auth except address sender own/m
	    or die;
	$d->write_conf($t);
	is($d->msactl('reload')->{status}, 0, 'reload');
	$d->msactl('grant', '127.0.0.26', 'as', $u->{name}, 'for', '1m');
	my $c = $d->client(tls => 'tls', local => '127.0.0.26');
	ok($d->log_wait(qr/event=auth result=address .*client=127\.0\.0\.26/),
	    'logged in by address');
	is(message($c, $u->{address}, 'no'), '550 5.7.1',
	    'a rule that excepts it does not take it');
	is($c->auth_plain($u->{name}, $u->{password})->{code}, 235, 'a password');
	is(message($c, $u->{address}, 'yes'), '250 2.0.0', 'does');
	$c->quit;
	my $r = $d->msactl('-j', 'test', 'session', '127.0.0.26', $u->{name},
	    $u->{address}, 'b@example.net');
	is($r->{json}[0]{result}, 'refused', 'test session knows it, too');
	$d->write_conf($text);
	$d->msactl('reload');
};

subtest 'a new msad-auth knows no addresses' => sub {
	$d->msactl('grant', '127.0.0.27', 'as', $u->{name}, 'for', '1h');
	my $c = $d->client(tls => 'tls', local => '127.0.0.27');
	is(granted($c, $u->{address}), 250, 'logged in');
	my $n = () = $d->log =~ /event=child-died name="?auth/g;
	kill('KILL', $d->child_named('msad-auth')->{pid});
	ok(wait_for { my $m = () = $d->log =~ /event=child-died name="?auth/g;
	    $m > $n && $d->msactl('show', 'grants')->{status} == 0 },
	    'killed, and there is another');
	is($d->msactl('show', 'grants')->{out}, '', 'without grants');
	is($c->cmd("MAIL FROM:<$u->{address}>")->{code}, 530,
	    'sessions by address end with it');
	$c->quit;
};

$d->done;
done_testing();
