# A real Postfix as smart host: STARTTLS and TLS from the start, certificate
# and name verified, SASL PLAIN and LOGIN from the table of secrets. What it
# delivers is what was submitted, octet for octet, below added trace fields.
# A Postfix that offers all its extensions and one that offers none get messages
# of every kind, octet for octet or as the same parts when decoded.
# What it cannot be trusted with is kept, with the reason in the queue, and
# not a word of it is sent. What it refuses comes back to the sender as a DSN.
#
# Debian packages: postfix sasl2-bin libsasl2-modules libsasl2-modules-db
# python3 openssl libio-socket-ssl-perl
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../smtp", $FindBin::Bin;
use Digest::SHA qw(sha256_hex);
use JSON::PP;
use MIME::Base64;
use Msad;
use Postfix;
use Test::More;

if (my $why = Postfix::missing()) {
	plan(skip_all => $why);
}
my $d = Msad->new(start => 0);
my $u = $d->account(0);
my $dir = $d->{dir};
my $p = Postfix->new(dir => $dir, users => { 'relay' => 'pass phrase',
    'second@next.example' => 'x:y #z' },
    # a listener for each fault, so that what its log says is of that alone
    more => { wrongpw => 'starttls', wrongpwl => 'tlslogin',
	wrongca => 'starttls', wrongcatls => 'tls', stripped => 'stripped',
	unverified => 'stripped', all => 'starttls', less => 'less' });
push @{ $d->{nexthops} }, $p;

Msad::run("cd $dir && openssl req -x509 -newkey ec -pkeyopt " .
    "ec_paramgen_curve:P-256 -nodes -keyout other.key -out other.pem " .
    "-days 2 -subj '/CN=another CA' >>openssl.log 2>&1");
spew("$dir/secrets", "# of the smart host\nisp: relay pass phrase\n" .
    "second: second\@next.example x:y #z\nwrong: relay not-the-phrase\n", 0600);

# relay => [listener of Postfix, what follows the port]
my $good = "verify ca \"$dir/ca.pem\" auth <secrets> \"isp\"";
my $second = $good =~ s/isp/second/r;
my %relay = (
	starttls => ['starttls', "starttls $good"],
	tls => ['tls', "tls $second"],
	login => ['login', "starttls $second"],
	tlslogin => ['tlslogin', "tls $good"],
	all => ['all', "starttls $good"],
	less => ['less', "starttls $good"],
	wrongpw => ['wrongpw', 'starttls ' . $good =~ s/isp/wrong/r],
	wrongpwl => ['wrongpwl', 'tls ' . $good =~ s/isp/wrong/r],
	wrongca => ['wrongca', 'starttls ' . $good =~ s/ca\.pem/other.pem/r],
	wrongcatls => ['wrongcatls', 'tls ' . $good =~ s/ca\.pem/other.pem/r],
	stripped => ['stripped', "starttls $good"],
	unverified => ['unverified', $good =~ s/.*auth/starttls auth/r],
);
my ($relays, $matches, $table) = ('', '', '');
for my $r (sort keys %relay) {
	my ($listener, $options) = @{ $relay{$r} };
	$relays .= "relay \"$r\" { host \"localhost\" port $p->{port}{$listener} " .
	    "$options retry { 1h } expire 1d }\n";
	$table .= "table \"t-$r\" { \"$u->{name}\" = \"\@$r.example\" }\n";
	$matches .= "match from auth sender <t-$r> relay \"$r\"\n";
}
$d->{relay} = $relays;
$d->{tables} = $table . "limit session { size 80M }\ntable secrets file:\"$dir/secrets\"\n";
$d->{match} = $matches;
$d->write_conf;
$d->start;

my $c = $d->session(0);
my $serial = 0;

sub submit {
	my ($relay, $rcpts, $message, %o) = @_;
	my $r = $c->submit("me\@$relay.example", $rcpts, $message, %o);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($r->{code}, 250, "$relay: accepted") or diag($r->{text});
	return $r;
}

sub header {
	my ($relay, $subject, @more) = @_;
	return join("\r\n", "From: Me <me\@$relay.example>", 'To: you@y.example',
	    "Subject: $subject", 'Date: Thu, 1 Jan 2026 10:00:00 +0100',
	    'Message-ID: <' . ++$serial . '@client.example>', @more, '', '');
}

# Octet for octet below the fields that hops add; a Maildir has LF.
sub same {
	my ($got, $sent, $name) = @_;
	my $want = $sent =~ s/\r\n/\n/gr;
	my $n = length($got) - length($want);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($n > 0 && substr($got, $n) eq $want, "$name: octet for octet") or do {
		spew("$Msad::BUILD/regress-log/postfix.want", $want);
		spew("$Msad::BUILD/regress-log/postfix.got", $got);
		diag("see postfix.want and postfix.got in the log folder");
		return;
	};
	like(substr($got, 0, $n), qr/\A(?:(?:Return-Path|X-Original-To|Delivered-To
	    |Received):[ ].*\n(?:[ \t].*\n)*)+\z/x, "$name: only trace fields are added");
}

my $long = join('', map { chr(33 + $_ % 94) } 0 .. 997) . "\r\n";
my %body = (
	'plain text' => "Hello,\r\n\r\nthis is it.\r\n",
	'lines of 998 octets' => $long x 20,
	'leading dots' => ".a\r\n..b\r\n...c\r\n. d\r\n.\t\r\n.." . substr($long, 2),
	'lone dots' => ".\r\n.\r\n\r\n.\r\n..\r\n.\r\n",
	'trailing blanks' => "a \r\nb\t \r\n \r\n\t\r\nend   \r\n\r\n\r\n\r\n",
	'an empty body' => '',
	'8-bit octets' => join('', map { chr(128 + $_) } 0 .. 127) . "\r\n\xe4\xf6\xfc\r\n" .
	    ("\xc3\xa9" x 499) . "\r\n",
	'controls' => join('', map { chr } 1 .. 9, 11, 12, 14 .. 31, 127) . "\r\n",
);

# 8-bit text arrives as quoted-printable: both without the label, decoded.
sub decoded {
	my ($got, $sent) = @_;
	ok($got =~ s/^Content-Transfer-Encoding: quoted-printable\r?\n//m,
	    'R6409-8.4-a encoded before it was queued');
	my ($head, $blank, $body) = $got =~ /\A(.*?\n)(\r?\n)(.*)\z/s;
	unlike($body, qr/[\x80-\xff]|[^\r\n]{77}/, 'R6409-8.4-a 7-bit, lines of 76');
	$body =~ s/=\r?\n//g;
	$body =~ s/=([0-9A-F]{2})/chr(hex($1))/ge;
	$sent =~ s/^Content-Transfer-Encoding: 8bit\r\n//m;
	return ("$head$blank$body", $sent);
}

for my $relay (qw(starttls tlslogin)) {
	subtest "by $relay" => sub {
		my %sent;
		for my $name (sort keys %body) {
			my $eight = $name =~ /^8/;
			my $m = header($relay, "$name by $relay", $eight ?
			    ('MIME-Version: 1.0', 'Content-Type: text/plain; charset=utf-8',
			    'Content-Transfer-Encoding: 8bit') : ()) . $body{$name};
			submit($relay, 'you@y.example', $sent{$name} = $m,
			    mail => $eight ? ' BODY=8BITMIME' : '');
		}
		for my $name (sort keys %sent) {
			my ($m) = $p->mails_wait(1, "$name by $relay");
			($m, $sent{$name}) = decoded($m // '', $sent{$name})
			    if $name =~ /^8/;
			same($m // '', $sent{$name}, "R5321-4.5.2-a, X-smug-2 $name");
		}
	};
}

subtest 'the header as it was' => sub {
	my $h = join("\r\n", 'X-First:no blank', 'from:  "Me,  \"too\""  <me@tls.example>  ',
	    'TO: a: b@y.example,', "\tc\@y.example ;,", '    d@y.example',
	    'Subject: the header  as it was', "X-Folded:\r\n one\r\n\ttwo \r\n  three",
	    'X-Empty:', 'X-Long: ' . 'y' x 990, 'X-Twice: 1', 'X-Twice: 2',
	    'Received: from a.example by b.example; Thu, 1 Jan 2026 09:59:59 +0100',
	    'DKIM-Signature: v=1; a=rsa-sha256; b=AbC', 'Date: Thu, 01 Jan 2026 10:00:00 +0100 (CET)',
	    'Message-Id: <as.it.was@client.example>', 'Reply-To: other@z.example', '', "x\r\n");
	submit('tls', 'you@y.example', $h);
	my ($m) = $p->mails_wait(1, 'the header  as it was');
	same($m // '', $h, 'odd fields');
	my ($ours) = ($m // '') =~ /^(Received: from .*\n(?:\s.*\n)*?\tby mail\.example\.org|Received: .* by mail\.example\.org.*\n(?:\s.*\n)*)/m;
	ok($ours, 'R5321-4.4-a our own Received is among them') or diag($m);
};

subtest 'TLS and SASL as Postfix saw them' => sub {
	my %want = (starttls => ['PLAIN', 'relay@next.example'],
	    tls => ['PLAIN', 'second@next.example'],
	    login => ['LOGIN', 'second@next.example'],
	    tlslogin => ['LOGIN', 'relay@next.example']);
	for my $r (sort keys %want) {
		my $m = header($r, "login by $r") . "x\r\n";
		submit($r, 'you@y.example', $m);
		my ($got) = $p->mails_wait(1, "login by $r");
		same($got // '', $m, $r);
		like($got // '', qr/using TLSv1\.[23] with cipher/, "$r: under TLS");
		my ($mech, $user) = @{ $want{$r} };
		like($p->log_of($r), qr/sasl_method=$mech, sasl_username=\Q$user\E$/m,
		    "$r: logged in by $mech as $user");
	}
};

subtest 'an attachment of 5 MB' => sub {
	my $data = '';
	srand(5);
	$data .= pack('N*', map { int(rand(2**32)) } 1 .. 1024) for 1 .. 1280;
	my $m = header('starttls', 'five MB', 'MIME-Version: 1.0',
	    'Content-Type: multipart/mixed; boundary="=_b"') .
	    "--=_b\r\nContent-Type: text/plain\r\n\r\nsee there\r\n--=_b\r\n" .
	    "Content-Type: application/octet-stream\r\n" .
	    "Content-Transfer-Encoding: base64\r\n" .
	    "Content-Disposition: attachment; filename=\"a.bin\"\r\n\r\n" .
	    (encode_base64($data, "\r\n")) . "--=_b--\r\n";
	submit('starttls', 'you@y.example', $m, timeout => 60);
	my ($got) = $p->mails_wait(1, 'five MB');
	same($got // '', $m, length($m) . ' octets');
};

subtest '100 recipients' => sub {
	my @rcpts = map { "r$_\@" . (qw(x y z))[$_ % 3] . '.example' } 1 .. 100;
	my $m = header('tls', 'a hundred') . "to many\r\n";
	my $r = submit('tls', \@rcpts, $m);
	is(scalar(grep { $_->{code} == 250 } @{ $r->{rcpts} }), 100, 'all are taken');
	my @got = $p->mails_wait(100, 'a hundred');
	my %to;
	for my $g (@got) {
		$to{$1}++ if $g =~ /^Delivered-To: (.*)$/m;
	}
	is_deeply(\%to, { map { $_ => 1 } @rcpts }, 'each gets it once');
	my $want = $m =~ s/\r\n/\n/gr;
	is(scalar(grep { substr($_, -length $want) ne $want } @got), 0,
	    'and each the same octets');
	ok(wait_for { !$d->queue }, 'and the queue is empty');
	is(scalar(() = $p->log =~ /nrcpt=100 /g), 1, 'in one transaction');
};

# A DSN as python3 reads it.
sub dsn {
	my ($octets) = @_;
	spew("$dir/dsn", $octets);
	my $py = 'import email,email.policy,sys,json
m=email.message_from_binary_file(open(sys.argv[1],"rb"),policy=email.policy.default)
p=list(m.iter_parts()) if m.is_multipart() else []
st=[dict((k.lower(),str(v)) for k,v in x.items()) for x in p[1].get_payload()] if len(p)>1 else []
print(json.dumps({"type":m.get_content_type(),"report":m.get_param("report-type"),
"parts":[x.get_content_type() for x in p],"status":st,"to":str(m["To"]),
"text":p[0].get_content() if p else "","last":p[-1].as_string() if p else "",
"defects":[str(d) for x in m.walk() for d in x.defects]}))';
	open(my $f, '-|', 'python3', '-c', $py, "$dir/dsn") or die;
	local $/;
	return decode_json(scalar(<$f>) || '{}');
}

# --- every kind of message (acceptance of issue B, line 2) ---

# The parts that hold no others, decoded by python3: "type octets digest".
sub leaves {
	my ($octets) = @_;
	spew("$dir/mail", $octets);
	my $py = 'import email,sys,json,hashlib
m=email.message_from_bytes(open(sys.argv[1],"rb").read())
out=[]
for p in m.walk():
    if p.is_multipart(): continue
    b=p.get_payload(decode=True)
    out.append("%s %d %s" % (p.get_content_type(), len(b), hashlib.sha256(b).hexdigest()))
print(json.dumps(out+[str(d) for p in m.walk() for d in p.defects]))';
	open(my $f, '-|', 'python3', '-c', $py, "$dir/mail") or die;
	local $/;
	return decode_json(scalar(<$f>) || '[]');
}

sub leaf {
	my ($type, $octets) = @_;
	$octets =~ s/\r\n/\n/g if $type =~ /^text/;
	return join(' ', $type, length $octets, sha256_hex($octets));
}

# The report that came back to the sender of that relay and names the text.
sub returned {
	my ($relay, $text) = @_;
	my $dsn;
	wait_for {
		$p->mails('');
		($dsn) = grep { /^Delivered-To: me\@\Q$relay\E\.example$/m && /$text/ }
		    map { @$_ } values %{ $p->{box} };
		$dsn;
	};
	return $dsn // '';
}

my $mime = 'MIME-Version: 1.0';
my $utf8 = "Gr\xc3\xbc\xc3\x9fe aus K\xc3\xb6ln \r\n.\r\n\r\n" . "\xe2\x82\xac" x 300 . "\r\n";
my $binary = join('', map { chr } 0 .. 255) . "\r\r\n\n\0\r\n.\r\n--=_b-\r\n" . "\xff\r" x 5000;
my $large = '';
srand(40);
$large .= pack('N*', map { int(rand(2**32)) } 1 .. 1024) for 1 .. 64;
$large x= 160;		# 40 MiB

for my $relay (qw(all less)) {
	my $subject = sub { "$_[0] by $relay" };
	my $from = "me\@$relay.example";

	subtest "$relay: 7-bit text" => sub {
		for my $name (grep { !/^8/ } sort keys %body) {
			my $m = header($relay, $subject->("kind $name")) . $body{$name};
			submit($relay, 'you@y.example', $m);
			same(($p->mails_wait(1, $subject->("kind $name")))[0] // '', $m,
			    "R5321-4.5.2-a $name");
		}
	};

	subtest "$relay: 8-bit" => sub {
		my $m = header($relay, $subject->('eight'), $mime,
		    'Content-Type: multipart/mixed; boundary="=_b"') .
		    "--=_b\r\nContent-Type: text/plain; charset=utf-8\r\n" .
		    "Content-Transfer-Encoding: 8bit\r\n\r\n$utf8\r\n--=_b\r\n" .
		    "Content-Type: image/x\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" .
		    "\xff\xd8\x01\r\n\r\n--=_b--\r\n";
		submit($relay, 'you@y.example', $m, mail => ' BODY=8BITMIME');
		my ($got) = $p->mails_wait(1, $subject->('eight'));
		unlike($got // '', qr/[\x80-\xff]/, 'R6409-8.4-a encoded');
		is_deeply(leaves($got // ''), [leaf('text/plain', $utf8),
		    leaf('image/x', "\xff\xd8\x01\r\n")], 'R6152-3-b the same parts');
		# what must not be altered
		$m = header($relay, $subject->('signed'), $mime, 'Content-Type: multipart/signed; ' .
		    'boundary="=_b"; micalg=x; protocol="x/y"') . "--=_b\r\nContent-Type: text/plain; " .
		    "charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n$utf8\r\n--=_b\r\n" .
		    "Content-Type: x/y\r\n\r\nsignature\r\n--=_b--\r\n";
		my $r = submit($relay, 'you@y.example', $m, mail => ' BODY=8BITMIME');
		if ($relay eq 'all') {
			same(($p->mails_wait(1, $subject->('signed')))[0] // '', $m, 'R6409-8-b signed');
			return;
		}
		my $x = dsn(returned($relay, "queue id $r->{id} "));
		is($x->{status}[1]{status}, '5.6.1', 'R6409-8-b signed: 5.6.1');
		is(scalar(() = $p->mails($subject->('signed'))), 0, 'R6409-8-b and not altered');
	};

	subtest "$relay: binary" => sub {
		my $m = header($relay, $subject->('binary'), $mime,
		    'Content-Type: multipart/mixed; boundary="=_b"') .
		    "--=_b\r\nContent-Type: text/plain\r\n\r\nsee there\r\n--=_b\r\n" .
		    "Content-Type: application/octet-stream\r\n" .
		    "Content-Transfer-Encoding: binary\r\n\r\n$binary\r\n--=_b--\r\n";
		$c->cmd("MAIL FROM:<$from> BODY=BINARYMIME");
		$c->cmd('RCPT TO:<you@y.example>');
		my $half = int(length($m) / 2);
		$c->send("BDAT $half\r\n" . substr($m, 0, $half));
		is($c->reply->{code}, 250, 'R3030-2-a a chunk');
		$c->send('BDAT ' . (length($m) - $half) . " LAST\r\n" . substr($m, $half));
		is($c->reply->{code}, 250, 'R3030-2-a the last one');
		my ($got) = $p->mails_wait(1, $subject->('binary'));
		is_deeply(leaves($got // ''), [leaf('text/plain', 'see there'),
		    leaf('application/octet-stream', $binary)], 'R3030-3-b the same parts');
	};

	subtest "$relay: addresses and headers in UTF-8" => sub {
		my $domain = "b\xc3\xbccher.example";
		my $m = header($relay, $subject->('address')) . "ascii\r\n";
		my $r = submit($relay, ["gr\xc3\xbc\xc3\x9fe\@$domain", "plain\@$domain", 'you@y.example'],
		    $m, mail => ' SMTPUTF8');
		my @got = $p->mails_wait($relay eq 'all' ? 3 : 2, $subject->('address'));
		my @to = sort map { /^Delivered-To: (.*)$/m ? $1 : () } @got;
		is(scalar(grep { substr($_, -length("\nascii\n")) ne "\nascii\n" } @got), 0, 'the body');
		if ($relay eq 'all') {
			is("@to", "gr\xc3\xbc\xc3\x9fe\@$domain plain\@$domain you\@y.example",
			    'R6531-3.2-b all as they are');
		} else {
			is("@to", 'plain@xn--bcher-kva.example you@y.example', 'R6531-3.2-c by A-label');
			my $text = returned($relay, "queue id $r->{id} ");
			like($text, qr/^Content-Type: message\/global-delivery-status$/m, 'R6533-4-a a report');
			like($text, qr/^Final-Recipient: utf-8; gr=C3=BC=C3=9Fe\@b=C3=BCcher\.example\n(?:.+\n)*Status: 5\.6\.7$/m,
			    'R6531-3.2-b 5.6.7 for the other one');
		}
		my $h = header($relay, $subject->('header'), "X-City: K\xc3\xb6ln") . "ascii\r\n";
		$r = submit($relay, 'you@y.example', $h, mail => ' SMTPUTF8');
		if ($relay eq 'all') {
			same(($p->mails_wait(1, $subject->('header')))[0] // '', $h, 'R6531-3.2-b header');
		} else {
			like(returned($relay, "queue id $r->{id} "), qr/^Status: 5\.6\.9$/m,
			    'R6531-3.2-b header: 5.6.9');
		}
		is_deeply([grep { /non-ASCII|SMTPUTF8 is req/ } $p->log_of($relay)], [],
		    'Postfix has seen none that it was not told of');
	};

	subtest "$relay: an attachment of 40 MiB" => sub {
		my $m = header($relay, $subject->('forty'), $mime,
		    'Content-Type: multipart/mixed; boundary="=_b"') .
		    "--=_b\r\nContent-Type: text/plain\r\n\r\nsee there\r\n--=_b\r\n" .
		    "Content-Type: application/octet-stream\r\n" .
		    "Content-Transfer-Encoding: base64\r\n\r\n" .
		    encode_base64($large, "\r\n") . "\r\n--=_b--\r\n";
		submit($relay, 'you@y.example', $m, timeout => 120);
		my ($got) = $p->mails_wait(1, $subject->('forty'), 60);
		same($got // '', $m, length($m) . ' octets');
		is_deeply(leaves($got // ''), [leaf('text/plain', 'see there'),
		    leaf('application/octet-stream', $large)], 'the same parts');
		@{ $p->{box}{$subject->('forty')} } = ();
	};

	subtest "$relay: 1000 recipients" => sub {
		my @rcpts = map { "r$_\@" . (qw(x y z))[$_ % 3] . '.example' } 1 .. 1000;
		my $m = header($relay, $subject->('thousand')) . "to many\r\n";
		my $r = submit($relay, \@rcpts, $m, timeout => 60);
		is(scalar(grep { $_->{code} == 250 } @{ $r->{rcpts} }), 1000, 'all are taken');
		my @got = $p->mails_wait(1000, $subject->('thousand'), 120);
		my %to;
		for my $g (@got) {
			$to{$1}++ if $g =~ /^Delivered-To: (.*)$/m;
		}
		is(scalar(keys %to), 1000, 'each gets it');
		is(scalar(grep { $_ != 1 } values %to), 0, 'once');
		my $want = $m =~ s/\r\n/\n/gr;
		is(scalar(grep { substr($_, -length $want) ne $want } @got), 0, 'and the same octets');
	};

	my $log = $p->log_of($relay);
	my ($ehlo) = $log =~ /(improper command|too many errors|lost connection.*)/;
	is($ehlo // '', '', "$relay: Postfix had nothing to complain of");
}

subtest 'a recipient that Postfix rejects' => sub {
	my $m = header('starttls', 'partly rejected') . "x\r\n";
	submit('starttls', ['good@y.example', 'rejected@y.example', 'fine@z.example'], $m);
	is(scalar(() = $p->mails_wait(2, 'partly rejected')), 2, 'the others get it');
	my $dsn;
	ok(wait_for {
		$p->mails('');
		($dsn) = grep { /^Delivered-To: me\@starttls\.example$/m }
		    map { @$_ } values %{ $p->{box} };
		$dsn;
	}, 'R5321-3.6.3-a a DSN reaches the sender by the same route') or return;
	like($dsn, qr/^Return-Path: <>$/m, 'with an empty reverse-path');
	my $x = dsn($dsn);
	is($x->{type}, 'multipart/report', 'R6522-3-a multipart/report');
	is($x->{report}, 'delivery-status', 'R6522-3-a report-type');
	is("@{ $x->{parts} }[0,1]", 'text/plain message/delivery-status', 'R6522-3-a parts');
	is_deeply($x->{defects}, [], 'and no defect in any part');
	my ($per, @rcpt) = @{ $x->{status} };
	is(scalar(@rcpt), 1, 'of one recipient') or return;
	like($rcpt[0]{'final-recipient'}, qr/^rfc822; ?rejected\@y\.example$/, 'R3464-2.3-a it');
	is(lc($rcpt[0]{action}), 'failed', 'R3464-2.3-a Action');
	is($rcpt[0]{status}, '5.1.1', 'R3464-2.3-a Status');
	like($rcpt[0]{'diagnostic-code'}, qr/^smtp; ?550 5\.1\.1 .*no such person here/,
	    "R3464-2.3.5-a in Postfix's words");
	like($x->{text}, qr/no such person here/, 'the text for people has them, too');
	my ($header) = $m =~ /\A(.*?\r\n)\r\n/s;
	like($dsn, qr/\nReceived: .*\n(?:\s.+\n)*\Q@{[$header =~ s{\r}{}gr]}\E/,
	    'R6522-3-a and the whole header of the message is returned');
};

# A message that stays: what the queue says of it.
sub kept {
	my ($relay, $why) = @_;
	my $listener = $relay{$relay}[0];
	my $r = submit($relay, 'you@y.example', header($relay, "kept $relay") . "x\r\n");
	my $tried = wait_for {
		my ($q) = grep { $_->{id} eq $r->{id} } $d->queue;
		$q && $q->{rcpts}[0]{tries} && $q->{rcpts}[0]{last} =~ /\S/ ? $q : 0;
	};
	ok($tried, "$relay: tried and kept") or return '';
	is($tried->{rcpts}[0]{state}, 'waiting', "$relay: waiting");
	my $show = $d->msactl('queue', 'show', $r->{id});
	like($show->{out}, $why, "P8 $relay: msactl queue show says why");
	note($show->{out});
	is($d->msactl('queue', 'remove', $r->{id})->{status}, 0, "$relay: removed");
	my $log = '';
	wait_for {
		$log = $p->log_of($listener);
		$log =~ /disconnect from/;
	};
	unlike($log, qr/client=|mail=|rcpt=|data=|\Q$u->{name}\E/,
	    "$relay: no MAIL reached Postfix");
	return $log;
}

subtest 'a wrong SASL password' => sub {
	for my $r ('wrongpw', 'wrongpwl') {
		my $log = kept($r, qr/535 5\.7\.8 Error: authentication failed/);
		like($log, qr/SASL (?:PLAIN|LOGIN) authentication failed/, "$r: Postfix refused");
	}
	unlike($d->log, qr/not-the-phrase|pass phrase|x:y #z/, 'X-leak-1 no password in the log');
};

subtest 'a certificate of another CA' => sub {
	for my $r ('wrongca', 'wrongcatls') {
		my $log = kept($r, qr/certificate|verif/i);
		unlike($log, qr/auth=/, "R7817-3-a $r: nor a password");
	}
};

subtest 'STARTTLS stripped' => sub {
	for my $r ('stripped', 'unverified') {
		my $log = kept($r, qr/STARTTLS|TLS/);
		like($log, qr/ehlo=1/, "$r: Postfix heard EHLO");
		unlike($log, qr/auth=/, "$r: but no password in the clear");
	}
};

is(scalar(() = $p->mails("kept $_")), 0, "nothing arrived by $_")
    for grep { /wrong|stripped|unverified/ } sort keys %relay;
is($p->log =~ /\b(?:fatal|panic|non-SMTP|improper command)/ ? $& : '', '',
    'Postfix had nothing to complain of');
$c->quit;
$d->done;
done_testing;
