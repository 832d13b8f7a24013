#!/usr/bin/perl
# The PROXY protocol in front of STARTTLS and TLS listeners: whose word on its
# client is taken, and that nothing but a whole header begins a session.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use IO::Socket::IP;
use Socket qw(inet_pton AF_INET AF_INET6);
use Test::More;
use Time::HiRes qw(time);

my ($p587, $p465, $pv1, $alien) = map { free_port() } 1 .. 4;
my $on = 'pki "main" auth "sys"';
my $d = Msad->new(start => 0, extra => <<"CONF");
proxy from { 127.0.0.1 ::1 }
limit session { per-address 3 }
bar from 203.0.113.0/24
listen on { 127.0.0.1, ::1 } port $p587 starttls $on proxy-v1 proxy-v2
listen on 127.0.0.1 port $p465 tls $on proxy-v2 proxy-v1
listen on 127.0.0.1 port $pv1 starttls $on proxy-v1
listen on 0.0.0.0 port $alien starttls $on proxy-v1
CONF
my $u = $d->account(0);
$d->start;
$d->log_wait(qr/event=started/);

sub code { my ($r) = @_; return "$r->{code} $r->{enh}" }
sub to { my ($port, $host) = @_; return Msad::Smtp->connect($port, 20, $host) }

my $sign = "\r\n\r\n\0\r\nQUIT\n";
sub v2 {
	my ($command, $family, $block) = @_;
	return $sign . pack('CCn', $command, $family, length $block) . $block;
}
sub four {
	my ($address, $port) = @_;
	return inet_pton(AF_INET, $address) . inet_pton(AF_INET, '192.0.2.9') .
	    pack('nn', $port, 25);
}
sub six {
	my ($address, $port) = @_;
	return inet_pton(AF_INET6, $address) . inet_pton(AF_INET6, '2001:db8::9') .
	    pack('nn', $port, 25);
}
sub crc32c {
	my ($octets) = @_;
	my $crc = 0xffffffff;
	for my $o (unpack('C*', $octets)) {
		$crc ^= $o;
		$crc = $crc & 1 ? ($crc >> 1) ^ 0x82f63b78 : $crc >> 1 for 1 .. 8;
	}
	return $crc ^ 0xffffffff;
}
sub value { my ($type, $octets) = @_; return pack('Cn', $type, length $octets) . $octets }

# A session begins after these octets, and the log has its client.
sub greets {
	my ($header, $client, $name, $port) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $c = to($port // $p587);
	$c->send($header);
	my $ok = ok($c->greeting(5), "$name: greeted");
	my ($sid) = $c->cmd('NOOP x' . 'y' x 4096)->{text} =~ /([0-9a-f]+-[0-9a-f]+)\W*\s*\z/;
	my $re = qr/s=\Q$sid\E event=connect client=\Q$client\E /;
	ok($d->log_wait($re, 5), "$name: the client is $client");
	$c->close;
	return $ok;
}
# Closed without a word.
sub closes {
	my ($octets, $name, $port) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $c = to($port // $p587);
	$c->send($octets);
	ok($c->closed(3) && $c->{in} eq '', $name);
	$c->close;
}

subtest 'version 1' => sub {
	greets("PROXY TCP4 198.51.100.7 192.0.2.1 4711 587\r\n", '198.51.100.7 port=4711', 'PX-3 TCP4');
	greets("PROXY TCP6 2001:db8::7 2001:db8::1 4711 587\r\n", '2001:db8::7 port=4711', 'PX-3 TCP6');
	greets("PROXY UNKNOWN\r\n", '127.0.0.1', 'PX-3 UNKNOWN');
	closes("PROXY TCP4 198.51.100.07 192.0.2.1 4711 587\r\n", 'PX-4 a leading zero');
	closes("PROXY TCP4 2001:db8::7 2001:db8::1 4711 587\r\n", 'PX-4 the wrong family');
	closes("PROXY TCP4 198.51.100.7 192.0.2.1 4711 587 x\r\n", 'PX-4 a field too many');
	closes("PROXY TCP4 198.51.100.7 192.0.2.1 4711 65536\r\n", 'PX-4 no port');
	closes('PROXY UNKNOWN ' . 'x' x 93, 'PX-4 no CRLF within 107 octets');
	closes("PROXY TCP4 198.51.100.7 192.0.2.1 4711 587\n", 'PX-4 LF alone');
	closes("EHLO x.example\r\n", 'PX-1 anything else');
};

subtest 'version 2' => sub {
	greets(v2(0x21, 0x11, four('198.51.100.8', 4712)), '198.51.100.8 port=4712', 'PX-5 TCP4');
	greets(v2(0x21, 0x21, six('2001:db8::8', 4712)), '2001:db8::8 port=4712', 'PX-5 TCP6');
	greets(v2(0x20, 0x11, four('198.51.100.8', 1)), '127.0.0.1', 'PX-5 LOCAL');
	greets(v2(0x21, 0, ''), '127.0.0.1', 'PX-5 AF_UNSPEC');
	closes("\r\n\r\n\0\r\nQUIT\r", 'PX-6 another signature');
	closes(v2(0x11, 0x11, four('198.51.100.8', 1)), 'PX-6 version 1 in it');
	closes(v2(0x22, 0x11, four('198.51.100.8', 1)), 'PX-6 no command');
	closes(v2(0x21, 0x11, 'short'), 'PX-6 too short for the family');
	closes(v2(0x21, 0x11, four('198.51.100.8', 1) . pack('Cn', 4, 9)), 'PX-6 a value past the end');
	closes(v2(0x21, 0x11, four('198.51.100.8', 1)), 'PX-1 where version 1 alone is due', $pv1);

	my $ssl = value(0x20, "\x07\0\0\0\0" . value(0x21, 'TLSv1.3'));
	my $block = four('198.51.100.9', 1) . value(0x02, 'mail.example.org') . $ssl;
	my $c = to($p587);
	$c->send(v2(0x21, 0x11, $block));
	ok($c->greeting, 'PX-7 values are passed over');
	like($c->cmd('EHLO x.example')->{text}, qr/STARTTLS/, 'PX-7 the SSL value is no TLS');
	is(code($c->cmd('AUTH PLAIN AGEAYg==')), '530 5.7.0', 'PX-7 and no login goes without');
	$c->close;
	$block .= value(0x03, "\0\0\0\0");
	my $h = v2(0x21, 0x11, $block);
	substr($h, -4) = pack('N', crc32c($h));
	greets($h, '198.51.100.9', 'PX-7 a checksum');
	substr($h, 20, 1) = 'x';
	closes($h, 'PX-7 a wrong checksum');
};

subtest 'any split, and what follows' => sub {
	my $h = v2(0x21, 0x11, four('198.51.100.10', 5));
	for my $header ("PROXY TCP4 198.51.100.10 192.0.2.1 5 587\r\n", $h) {
		my $c = to($p587);
		$c->{sock}->setsockopt(Socket::IPPROTO_TCP(), Socket::TCP_NODELAY(), 1);
		for my $o (split //, substr($header, 0, -1)) {
			$c->send($o);
		}
		ok(!defined $c->line(0.2), 'PX-1 nothing is said before the last octet');
		$c->send(substr($header, -1) . "EHLO x.example\r\nNOOP\r\n");
		ok($c->greeting, 'PX-8 octet by octet');
		is($c->reply->{code}, 250, 'PX-8 EHLO right behind it');
		is($c->reply->{code}, 250, 'PX-8 and the next');
		is(code($c->cmd('PROXY UNKNOWN')), '500 5.5.2', 'PX-8 a second header');
		$c->close;
	}
	my $c = to($p465);
	$c->send($h);
	ok($c->start_tls(SSL_ca_file => "$d->{dir}/ca.pem"), 'PX-8 TLS right behind it');
	ok($c->greeting, 'PX-8 and the greeting in TLS');
	$c->cmd('EHLO x.example');
	is($c->auth_plain($u->{name}, $u->{password})->{code}, 235, 'a login');
	is(code($c->submit($u->{address}, 'r@x.example',
	    "From: <$u->{address}>\r\nSubject: through\r\n\r\nx\r\n")), '250 2.0.0', 'a message');
	like($d->log, qr/event=mail \S+ \S+ client=198\.51\.100\.10 /, 'PX-3 its client in the log');
	$c->close;
};

subtest 'nothing comes' => sub {
	my @c = (to($p587), to($p465), to($p587));
	$c[2]->send('PROXY ');
	my $from = time;
	ok($_->closed(8), 'PX-1 closed without a word') for @c;
	my $took = time - $from;
	ok($took > 4 && $took < 7, sprintf('PX-1 after 5 s (%.1f)', $took));
};

subtest 'who may' => sub {
	my $c = $d->client(tls => 'none');
	is(code($c->cmd('PROXY TCP4 198.51.100.7 192.0.2.1 1 587')), '500 5.5.2',
	    'PX-2 where none is due it is a bad command');
	is($c->cmd('NOOP')->{code}, 250, 'PX-2 and the session goes on');
	$c->close;
	my $sock = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $alien,
	    LocalHost => '127.0.0.2') or die;
	$sock->blocking(0);
	$c = bless { sock => $sock, in => '', timeout => 5 }, 'Msad::Smtp';
	$c->send("PROXY TCP4 198.51.100.7 192.0.2.1 1 587\r\n");
	ok($c->closed(3), 'PX-2 from another network it is closed');
	$c->close;
	greets("PROXY UNKNOWN\r\n", '127.0.0.1', 'PX-2 from the right one', $alien);
};

subtest 'limits' => sub {
	my $from = sub {
		my $c = to($p587);
		$c->send("PROXY TCP6 $_[0] 2001:db8::1 1 587\r\n");
		return $c;
	};
	my @c = map { $from->("2001:db8:1:2::$_") } 1 .. 3;
	ok($_->greeting, 'P-ses-4 of one network of 64 bits') for @c;
	my $over = $from->('2001:db8:1:2:ffff::1');
	like($over->reply->{text}, qr/\A421 mail\.example\.org /, 'P-ses-4 one more of it');
	ok($over->closed(5), 'P-ses-4 is closed');
	my $other = $from->('2001:db8:1:3::1');
	ok($other->greeting, 'P-ses-4 the next network has its own count');
	ok(to($p587)->close || 1, 'and the proxy itself is not counted');
	my $barred = to($p587);
	$barred->send("PROXY TCP4 203.0.113.5 192.0.2.1 1 587\r\n");
	like($barred->reply->{text}, qr/\A554 mail\.example\.org /, 'R5321-3.1-b the client is barred');
	$_->close for @c, $over, $other, $barred;
};

$d->done;
done_testing;
