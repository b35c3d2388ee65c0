"""LitServe with its fast queue, one worker: peer_litserve.py PORT"""
import litserve
from peer_app import NAMES, answer_of, input_of, port, session_of


class Api(litserve.LitAPI):
    def __init__(self, name):
        super().__init__(api_path="/" + name)
        self.name = name

    def setup(self, device):
        self.session = session_of(self.name)

    def decode_request(self, request):
        return input_of(request)

    def predict(self, x):
        return self.session(x)

    def encode_response(self, output):
        return answer_of(output)


if __name__ == "__main__":
    server = litserve.LitServer([Api(name) for name in NAMES], accelerator="cpu", workers_per_device=1,
                                fast_queue=True)
    server.run(host="127.0.0.1", port=port(), num_api_servers=1, generate_client_file=False,
               log_level="error", access_log=False)
