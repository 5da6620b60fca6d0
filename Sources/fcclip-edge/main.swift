print("fcclip-edge")
