"""What does it cost to avoid backpropagation?"""
