/* SPDX-License-Identifier: BSD-2-Clause */
extern "C" {
#include "dataplane/dpdk/pci.h"
}

#include <filesystem>
#include <string>

#include <stdlib.h>

#include <gtest/gtest.h>

namespace fs = std::filesystem;

namespace
{

const char CARD[] = "0000:3b:00.0";

/* A sysfs with the devices that a test asks for. */
class Pci : public testing::Test
{
      protected:
	void SetUp() override
	{
		char name[] = "/tmp/fairway-pci-XXXXXX";
		ASSERT_NE(mkdtemp(name), nullptr);
		sys = name;
	}
	void TearDown() override
	{
		fs::remove_all(sys);
	}
	void device(const std::string &address, const std::string &driver, const std::string &group)
	{
		const fs::path at = sys / "bus/pci/devices" / address;
		fs::create_directories(at);
		if (!driver.empty())
			fs::create_symlink("../../../bus/pci/drivers/" + driver, at / "driver");
		if (group.empty())
			return;
		fs::create_symlink("../../../kernel/iommu_groups/" + group, at / "iommu_group");
		fs::create_directories(sys / "kernel/iommu_groups" / group / "devices" / address);
	}
	std::string why() const
	{
		char text[512];
		dpdk_pci_why(sys.c_str(), CARD, text, sizeof(text));
		return text;
	}
	fs::path sys;
};

TEST_F(Pci, SaysThatThereIsNone)
{
	device("0000:3b:00.1", "ixgbe", "7");
	EXPECT_EQ(why(), "there is no such PCI device: `lspci -D` shows which there are");
}

TEST_F(Pci, SaysHowToBindWhatNoDriverHas)
{
	device(CARD, "", "7");
	EXPECT_EQ(why(), "no driver has it: `modprobe vfio-pci; dpdk-devbind.py --bind=vfio-pci "
			 "0000:3b:00.0`");
}

TEST_F(Pci, WithoutAnIommuItIsUio)
{
	device(CARD, "", "");
	EXPECT_EQ(why(), "no driver has it: `modprobe uio_pci_generic; dpdk-devbind.py "
			 "--bind=uio_pci_generic 0000:3b:00.0` (vfio-pci needs an IOMMU, and the "
			 "kernel uses none here: firmware setup, then intel_iommu=on)");
}

TEST_F(Pci, NamesTheKernelsDriver)
{
	device(CARD, "ixgbe", "7");
	EXPECT_EQ(why(), "it is with the kernel's driver ixgbe: `modprobe vfio-pci; "
			 "dpdk-devbind.py --bind=vfio-pci 0000:3b:00.0`, unless DPDK works beside "
			 "that driver, as with mlx5; then see what DPDK printed");
}

TEST_F(Pci, NamesWhatIsInTheWayInTheSameGroup)
{
	device("0000:3a:00.0", "pcieport", "7");
	device("0000:3b:00.1", "ixgbe", "7");
	device("0000:3b:00.2", "", "7");
	device("0000:3c:00.0", "nvme", "8");
	device(CARD, "vfio-pci", "7");
	EXPECT_EQ(why(), "0000:3b:00.1 of the same IOMMU group is with the kernel's driver ixgbe: "
			 "bind that to vfio-pci, too, or put the card into another slot");
}

TEST_F(Pci, AsksForDmesgWhereVfioRefused)
{
	device("0000:3b:00.1", "vfio-pci", "7");
	device(CARD, "vfio-pci", "7");
	EXPECT_NE(why().find("allow_unsafe_interrupts=1"), std::string::npos) << why();
}

TEST_F(Pci, PrefersVfioToUio)
{
	device(CARD, "uio_pci_generic", "7");
	EXPECT_EQ(why(), "it is with uio_pci_generic, but DPDK couldn't use it, or has no driver "
			 "for this card: see what DPDK printed; where there is an IOMMU, vfio-pci "
			 "is the better choice");
}

} // namespace
