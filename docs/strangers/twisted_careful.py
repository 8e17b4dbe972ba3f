"""A Twisted protocol that stops reading in time: python twisted_careful.py PORT"""

import sys

from twisted.internet import protocol, reactor


class Echo(protocol.Protocol):
    def connectionMade(self):
        self.transport.registerProducer(self, True)  # tell us when your buffer is full

    def dataReceived(self, data):
        self.transport.write(data)

    def pauseProducing(self):
        self.transport.pauseProducing()

    def resumeProducing(self):
        self.transport.resumeProducing()

    def stopProducing(self):
        pass


factory = protocol.Factory()
factory.protocol = Echo
reactor.listenTCP(int(sys.argv[1]), factory, interface="127.0.0.1")
reactor.run()
