# Conversion of bodies: what is decoded at the next hop is what was sent.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Test::More;

my $d = Msad->new;
my $u = $d->account(0);
my $from = "From: A User <$u->{address}>\r\n";
my $serial = 0;

sub says {
	my ($r, $code, $enh, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($r->{code} == $code && $r->{enh} eq $enh, $name)
	    or diag("wanted $code $enh, got: $r->{text}");
}

# Send by DATA; the reply and the mark.
sub send_data {
	my ($c, $message, %o) = @_;
	my $mark = sprintf('mime-%d-%d', $$, ++$serial);
	my $r = $c->submit($u->{address}, 'rcpt@x.example',
	    "X-Mark: $mark\r\n$from$message", %o);
	return ($r, $mark);
}

# Send by BDAT, in chunks of n octets.
sub send_bdat {
	my ($c, $message, $n, $params) = @_;
	my $mark = sprintf('mime-%d-%d', $$, ++$serial);
	my $r = $c->cmd("MAIL FROM:<$u->{address}>" . ($params // ''));
	return ($r, $mark) if $r->{code} != 250;
	$c->cmd('RCPT TO:<rcpt@x.example>');
	my $m = "X-Mark: $mark\r\n$from$message";
	for (my $at = 0; $at < length $m; $at += $n) {
		my $piece = substr($m, $at, $n);
		$c->send('BDAT ' . length($piece) .
		    ($at + $n >= length $m ? ' LAST' : '') . "\r\n$piece");
		$r = $c->reply(60);
		last if $r->{code} != 250;
	}
	return ($r, $mark);
}

sub arrived {
	my ($mark) = @_;
	my ($m) = $d->mails_wait(1, qr/^X-Mark: \Q$mark\E\r?$/m);
	$m //= '';
	$m =~ s/(?<!\r)\n/\r\n/g;
	return $m;
}

# Each leaf part as python's email sees it: type, name of encoding, content in
# hex. With a parser of its own it is a witness against ours.
sub parts {
	my ($message) = @_;
	my $file = "$d->{dir}/witness";
	spew($file, $message);
	open(my $p, '-|', 'python3', '-c', <<'END', $file) or die;
import email, email.policy, sys
m = email.message_from_bytes(open(sys.argv[1], 'rb').read())
for part in m.walk():
    if part.is_multipart():
        continue
    body = part.get_payload(decode=True)
    print(part.get_content_type(), (part['Content-Transfer-Encoding'] or '-').lower(), (body.replace(b'\r\n', b'\n').rstrip(b'\n') if body.endswith(b'\n') else body.replace(b'\r\n', b'\n')).hex(), sep='|')
END
	chomp(my @lines = <$p>);
	close($p);
	return map { [split /\|/] } @lines;
}

# What was sent and what came hold the same parts, decoded.
sub same_parts {
	my ($sent, $got, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my @a = map { "$_->[0] " . ($_->[2] // '') } parts("$from$sent");
	my @b = map { "$_->[0] " . ($_->[2] // '') } parts($got);
	is_deeply(\@b, \@a, $name);
}

sub seven_bit {
	my ($got, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	unlike($got, qr/[\x80-\xff]/, "$name: 7-bit");
	unlike($got, qr/[^\r\n]{999}/, "$name: no line over 998");
}

my $c = $d->session(0);
my $utf8 = "Caf\xc3\xa9 \xe2\x82\xac=5 \r\n.\r\nFrom here\r\n" . "\xc3\xa9" x 300 . "\r\n";
my $mime = "MIME-Version: 1.0\r\n";
my $mixed = "${mime}Content-Type: multipart/mixed; boundary=\"=_b\"\r\n";

my %kinds = (
	'8-bit text' => "${mime}Content-Type: text/plain; charset=utf-8\r\n" .
	    "Content-Transfer-Encoding: 8bit\r\n\r\n$utf8",
	'8-bit text without a label' => "\r\n$utf8",
	'8-bit text labelled 7bit' => "${mime}Content-Transfer-Encoding: 7bit\r\n\r\n$utf8",
	'an 8-bit image' => "${mime}Content-Type: image/x\r\n" .
	    "Content-Transfer-Encoding: 8bit\r\n\r\n" . "\xff\xd8\x01\r\n" x 500,
	'a multipart' => "$mixed\r\n--=_b\r\nContent-Type: text/plain; charset=utf-8\r\n" .
	    "Content-Transfer-Encoding: 8bit\r\n\r\n$utf8\r\n--=_b\r\n\r\nascii\r\n" .
	    "--=_b\r\nContent-Type: application/x\r\n\r\n\xfe\xff\r\n--=_b--\r\n",
	'a multipart in a multipart' => "$mixed\r\n--=_b\r\n" .
	    "Content-Type: multipart/alternative; boundary=\"=_b2\"\r\n\r\n--=_b2\r\n" .
	    "Content-Type: text/html\r\n\r\n$utf8\r\n--=_b2--\r\n--=_b\r\n\r\n" .
	    "$utf8\r\n--=_b--\r\n",
	'a message in a multipart' => "$mixed\r\n--=_b\r\n" .
	    "Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n${mime}" .
	    "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n" .
	    "\r\n$utf8\r\n--=_b--\r\n",
	'big 8-bit text' => "${mime}Content-Transfer-Encoding: 8bit\r\n\r\n" .
	    ("x" x 70 . "\r\n") x 3000 . $utf8 x 100,
	'a line of 999' => "\r\nshort\r\n" . 'x' x 999 . "\r\nend\r\n",
	'a line of 65536' => "\r\nshort\r\n" . 'y' x 65536 . "\r\nend\r\n",
	'a long line of HTML in a multipart' => "$mixed\r\n--=_b\r\n" .
	    "Content-Type: text/html\r\nContent-Transfer-Encoding: 7bit\r\n\r\n<p>" .
	    'z' x 5000 . "</p>\r\n--=_b--\r\n",
	'labelled binary' => "${mime}Content-Type: application/x\r\n" .
	    "Content-Transfer-Encoding: binary\r\n\r\nplain\r\n",
);

subtest 'parts are encoded, and decode to what was sent' => sub {
	for my $name (sort keys %kinds) {
		my $row = $name =~ /line/ ? 'R5321-4.5.3.1.6-b' :
		    $name =~ /binary/ ? 'R3030-3-c' : 'R6409-8.4-a';
		my ($r, $mark) = send_data($c, $kinds{$name});
		says($r, 250, '2.0.0', "$row $name") or next;
		my $got = arrived($mark);
		seven_bit($got, "$row $name");
		like($got, qr/^Content-Transfer-Encoding: (quoted-printable|base64)\r$/m,
		    "$row $name is encoded");
		is(() = $got =~ /\A(.*?)\r\n\r\n/s ? $1 =~ /^MIME-Version: 1\.0\r?$/mgi : (),
		    1, "$row $name: one MIME-Version");
		same_parts($kinds{$name}, $got, "$row $name decodes to the same");
		($r, $mark) = send_bdat($c, $kinds{$name}, 1000, ' BODY=8BITMIME');
		says($r, 250, '2.0.0', "$row $name in chunks");
		same_parts($kinds{$name}, arrived($mark), "$row, R6409-7-e $name in chunks");
	}
};

subtest 'what needs nothing is not touched' => sub {
	my %plain = (
		'text' => "Subject: x\r\n\r\nplain \r\n\r\n=\r\nend\r\n\r\n",
		'base64' => "${mime}Content-Transfer-Encoding: base64\r\n\r\n!!! bro=ken\r\n",
		'a multipart' => "$mixed\r\npre\r\n--=_b  \r\n\r\na\r\n--=_b\r\n" .
		    "Content-Type: text/plain\r\n--=_b\r\n\r\n--=_b--\r\nepilogue\r\n\r\n",
		'7-bit text labelled 8bit' => "${mime}Content-Transfer-Encoding: 8bit\r\n\r\nplain\r\n",
		'a boundary of 10 KiB' => "${mime}Content-Type: multipart/mixed;\r\n boundary=\"" .
		    ("q" x 900 . "\r\n ") x 11 . "\"\r\n\r\n--q\r\n\r\nx\r\n",
		'a missing boundary' => "${mime}Content-Type: multipart/mixed\r\n\r\n--x\r\n\r\ny\r\n",
		'40 levels' => "${mime}Content-Type: multipart/mixed; boundary=b0\r\n\r\n" .
		    join('', map { "--b" . ($_ - 1) . "\r\nContent-Type: multipart/mixed; " .
		    "boundary=b$_\r\n\r\n" } 1 .. 40) . "x\r\n",
		'1500 parts' => "$mixed\r\n" . "--=_b\r\n\r\nx\r\n" x 1500 . "--=_b--\r\n",
	);
	for my $name (sort keys %plain) {
		my $row = $name =~ /levels|parts/ ? 'X-mime-1' : $name =~ /bound|base64/ ?
		    'X-mime-2' : 'R6409-8.4-a';
		my ($r, $mark) = send_data($c, $plain{$name});
		says($r, 250, '2.0.0', "$row $name");
		is((split /\r\n\r\n/, arrived($mark), 2)[1],
		    (split /\r\n\r\n/, $plain{$name}, 2)[1], "$row $name: octet for octet");
	}
};

subtest 'what must not be touched' => sub {
	for my $type ('multipart/signed', 'multipart/encrypted',
	    'application/pkcs7-mime') {
		my $head = "${mime}Content-Type: $type; boundary=s\r\n\r\n";
		my $body = "--s\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa9 \r\n--s--\r\n";
		my ($r, $mark) = send_data($c, "$head$body");
		says($r, 250, '2.0.0', "R6409-8-b $type with 8-bit content");
		is((split /\r\n\r\n/, arrived($mark), 2)[1], $body, "R6409-8-b $type passes as it is");
		($r) = send_data($c, "$head--s\r\n\r\n" . 'x' x 999 . "\r\n--s--\r\n");
		says($r, 554, '5.6.0', "R6409-8-b, R5321-4.5.3.1.6-b $type with a line of 999");
	}
	my ($r) = send_data($c, "${mime}Content-Transfer-Encoding: base64\r\n\r\n" . 'A' x 1000 . "\r\n");
	says($r, 554, '5.6.0', 'R5321-4.5.3.1.6-b base64 with a line of 1000');
	($r) = send_data($c, "\r\n" . 'x' x 65537 . "\r\n");
	says($r, 554, '5.6.0', 'R5321-4.5.3.1.6-b a line of 65537');
	($r) = send_data($c, "${mime}Content-Type: multipart/mixed; boundary=b0\r\n\r\n" .
	    join('', map { "--b" . ($_ - 1) . "\r\nContent-Type: multipart/mixed; " .
	    "boundary=b$_\r\n\r\n" } 1 .. 40) . "\xff\r\n");
	says($r, 554, '5.6.0', 'X-mime-1 40 levels with 8-bit content');
	($r) = send_data($c, "$mixed\r\n" . "--=_b\r\n\r\nx\r\n" x 1500 . "\xff\r\n");
	says($r, 554, '5.6.0', 'X-mime-1 1500 parts with 8-bit content');
	($r) = send_data($c, "${mime}Content-Transfer-Encoding: binary\r\n\r\na\nb\r\n");
	says($r, 554, '5.6.0', 'R3030-3-c a bare LF in a part labelled binary');
};

subtest 'BINARYMIME' => sub {
	like($c->cmd('EHLO client.example')->{text}, qr/^250[- ]BINARYMIME\r$/m,
	    'R3030-3-a offered');
	$c->cmd("MAIL FROM:<$u->{address}> BODY=BINARYMIME");
	$c->cmd('RCPT TO:<rcpt@x.example>');
	says($c->cmd('DATA'), 503, '5.5.1', 'R3030-3-a DATA');
	says($c->cmd('RSET'), 250, '2.0.0', 'RSET');
	my $octets = join('', map { chr } 0 .. 255) x 400 . "\r\r\n\n\0";
	for my $n (1e9, 997) {
		my ($r, $mark) = send_bdat($c, "$mixed\r\n--=_b\r\n" .
		    "Content-Type: application/octet-stream\r\n" .
		    "Content-Transfer-Encoding: binary\r\n\r\n$octets\r\n--=_b\r\n" .
		    "Content-Type: text/plain; charset=utf-8\r\n\r\n$utf8\r\n--=_b--\r\n", $n,
		    ' BODY=BINARYMIME');
		says($r, 250, '2.0.0', "R3030-3-a any octets, chunks of $n");
		my $got = arrived($mark);
		seven_bit($got, 'R3030-3-b');
		my ($b64) = $got =~ /^Content-Transfer-Encoding: base64\r\n\r\n(.*?)\r\n--=_b/ms;
		ok(MIME::Base64::decode_base64($b64 // '') eq $octets,
		    'R3030-3-a, R3030-3-b bit for bit');
	}
	my ($r) = send_bdat($c, "${mime}Content-Type: multipart/signed; boundary=s\r\n\r\n" .
	    "--s\r\n\r\na\0b\r\n--s--\r\n", 1e9, ' BODY=BINARYMIME');
	says($r, 554, '5.6.0', 'R6409-8-b binary octets in a signed part');
	($r) = send_bdat($c, "Subject: a\0b\r\n\r\nx\r\n", 1e9, ' BODY=BINARYMIME');
	says($r, 554, '5.6.0', 'R5322-2.3-a NUL in the header');
};

$c->quit;
$d->done;

subtest 'convert off' => sub {
	my $off = Msad->new(tables => "convert off\n");
	my $v = $off->account(0);
	my $s = $off->session(0);
	unlike($s->cmd('EHLO client.example')->{text}, qr/BINARYMIME/, 'R3030-3-a not offered');
	says($s->cmd("MAIL FROM:<$v->{address}> BODY=BINARYMIME"), 501, '5.5.4',
	    'R6152-3-a an unknown value');
	my $r = $s->submit($v->{address}, 'rcpt@x.example',
	    "From: <$v->{address}>\r\nSubject: as-is\r\n\r\n$utf8");
	says($r, 250, '2.0.0', '8-bit text');
	my ($m) = $off->mails_wait(1, qr/as-is/);
	$m =~ s/(?<!\r)\n/\r\n/g;
	is((split /\r\n\r\n/, $m, 2)[1], $utf8, 'passes as it is');
	says($s->submit($v->{address}, 'rcpt@x.example',
	    "From: <$v->{address}>\r\n\r\n" . 'x' x 999 . "\r\n"), 554, '5.6.0',
	    'R5321-4.5.3.1.6-b a line of 999');
	$s->quit;
	$off->done;
};

done_testing;
