"""A network in Python, as users bring it."""

#: As the classic examples are written: functional operations, a `view`, torch's own dropout.
NET = """
import torch.nn.functional as F
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 5, stride=3)
        self.bn = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.2)
        self.fc = nn.Linear(256, 10)

    def forward(self, x):
        x = F.relu(self.bn(self.conv1(x)))
        return self.fc(self.drop(x.view(-1, 256)))
"""
PARAMETERS = 4 * 25 + 4 + 2 * 4 + 256 * 10 + 10
