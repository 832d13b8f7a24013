# Who may send as whom: own, any, tables in files and inline, first match.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Test::More;

my $d = Msad->new(start => 0);
my ($ann, $bob, $cat) = map { $d->account($_) } 0 .. 2;
my $boxes = '';
for my $b (qw(inline file any)) {
	$d->maildir("$d->{dir}/$b");
	$boxes .= "relay \"$b\" { maildir \"$d->{dir}/$b\" }\n";
}
spew("$d->{dir}/senders", "# logins\n$ann->{name}: sales\@example.org, \@ann.example\n" .
    "$bob->{name}: bob\@lists.example\n", 0600);
$d->{relay} = $boxes;
$d->{tables} = "table \"f\" file:\"$d->{dir}/senders\"\n" .
    "table \"i\" { \"$ann->{name}\" = \"inline\@example.org\" }\n" .
    "table \"root\" { \"$cat->{name}\" = \"\@cat.example\" }\n";
$d->{match} = "match from auth sender own relay \"box\"\n" .
    "match from auth sender { <i>, <root> } relay \"inline\"\n" .
    "match from auth sender <f> relay \"file\"\n";
$d->write_conf;
$d->start;

sub says {
	my ($r, $code, $enh, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($r->{code} == $code && $r->{enh} eq $enh, $name)
	    or diag("wanted $code $enh, got: $r->{text}");
}

sub mail {
	my ($c, $from) = @_;
	my $r = $c->submit($from, 'rcpt@x.example',
	    "From: <$from>\r\nSubject: as $from\r\n\r\nx\r\n");
	$c->cmd('RSET');
	return $r;
}

my $c = $d->session(0);
my %to = ($ann->{address} => 'box', 'inline@example.org' => 'inline',
    'sales@example.org' => 'file', 'x@ann.example' => 'file',
    'Y@ANN.example' => 'file');
for my $from (sort keys %to) {
	says(mail($c, $from), 250, '2.0.0', "R6409-6.1-a own, table: $from");
	ok($d->mails_wait(1, qr/^Subject: as \Q$from\E\r?$/m, "$d->{dir}/$to{$from}"),
	    "by the first rule that allows it: $to{$from}");
}
for my $from ($bob->{address}, 'bob@lists.example', 'x@example.org',
    'x@sub.ann.example', 'xann.example@x.example', 'x@cat.example', 'root@example.org',
    "$ann->{name}x\@example.org", "$ann->{name}\@example.org.evil.example") {
	says(mail($c, $from), 550, '5.7.1', "R6409-6.1-a not allowed: $from");
}
$c->quit;

$c = $d->session(1);
says(mail($c, 'bob@lists.example'), 250, '2.0.0', 'another login has its own row');
says(mail($c, 'sales@example.org'), 550, '5.7.1', 'and not that of others');
$c->quit;
$c = $d->session(2);
says(mail($c, 'any@cat.example'), 250, '2.0.0', 'a domain of an inline table');
says(mail($c, 'sales@example.org'), 550, '5.7.1', 'a login without a row in the file');
says($c->cmd('MAIL FROM:<>'), 250, '2.1.0', 'R6409-3.2-a the null reverse-path');
$c->cmd('RSET');
$c->quit;

# reload: a further rule holds from the next MAIL of a session that is there
$c = $d->session(0);
says(mail($c, 'free@anything.example'), 550, '5.7.1', 'before the reload');
$d->{match} .= "match from auth sender any relay \"any\"\n";
$d->write_conf;
is($d->msactl('reload')->{status}, 0, 'msactl reload');
says(mail($c, 'free@anything.example'), 250, '2.0.0', 'any: after it, in the same session');
ok($d->mails_wait(1, qr/as free/, "$d->{dir}/any"), 'by the new rule');
$c->quit;

# sub-addresses, case, entries for all: the same for envelope and header
spew("$d->{dir}/senders", "$ann->{name}: sales\@example.org\n" .
    "$bob->{name}: $ann->{name}+lists\@example.org, *\n" .
    "*: info\@example.org\n", 0600);
$d->{tables} = "table \"f\" file:\"$d->{dir}/senders\"\n" .
    "subaddress \"+\"\nlocal-part ignore-case\n";
$d->{match} = "match from auth except { external, address } " .
    "sender { own, <f> } relay \"box\"\n";
$d->write_conf;
is($d->msactl('reload')->{status}, 0, 'msactl reload');
$c = $d->session(0);
my $n = $ann->{name};
for my $from ($ann->{address}, "$n+shop\@example.org", "\"$n+a b\"\@example.org",
    uc($n) . "+X\@example.org", 'Sales+eu@example.org', 'INFO@example.org') {
	says(mail($c, $from), 250, '2.0.0', "R6409-6.1-a with sub-addresses: $from");
}
for my $from ("$n+lists\@example.org", "$n-x\@example.org", "+$n\@example.org",
    "x+$n\@example.org", "${n}x+y\@example.org", "$n+shop\@other.example",
    'any@where.example') {
	says(mail($c, $from), 550, '5.7.1', "R6409-6.1-a not by a sub-address: $from");
	my $r = $c->submit($ann->{address}, 'rcpt@x.example',
	    "From: <$from>\r\nSubject: x\r\n\r\nx\r\n");
	$c->cmd('RSET');
	says($r, 550, '5.7.1', "R6409-6.1-b nor in From: $from");
}
my $r = $c->submit($ann->{address}, 'rcpt@x.example',
    "From: Ann <$n+shop\@example.org>\r\nSender: sales\@example.org\r\n" .
    "Subject: as another\r\n\r\nx\r\n");
says($r, 250, '2.0.0', 'R6409-6.1-b From with a sub-address, Sender of a table');
$c->quit;
$c = $d->session(1);
says(mail($c, "$n+lists\@example.org"), 250, '2.0.0', 'what is listed by name is his');
says(mail($c, 'any@where.example'), 250, '2.0.0', 'and * is any address');
$c->quit;

$d->done;
done_testing;
